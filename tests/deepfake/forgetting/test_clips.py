"""Clips that were made of a still or a video are removed with it: they show the same face."""

from __future__ import annotations

import csv
from pathlib import Path

from deepfake.corpora.manifest import read_manifest, write_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.forgetting import forget
from deepfake.storage import DataRoot
from deepfake.training.calibrate.synthetic_clips import plan_clips
from tests.deepfake.forgetting.kept import digest_of_bytes, mentions
from tests.synthetic_corpus import CropFile, write_corpus

_STILL, _OTHER = "a" * 64, "b" * 64


def _clip(folder: Path, still: str, kind: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}-{still[:16]}-0123abcd.mp4"
    path.write_text(f"a clip of {still} as {kind}")
    return path


def test_clips_of_a_still_go_with_their_rows(tmp_path: Path) -> None:
    root = DataRoot(tmp_path / "data")
    folder = root.path / "clips" / "val"
    clips = [_clip(folder, _STILL, "real"), _clip(folder, _STILL, "self_blend")]
    other = _clip(folder, _OTHER, "real")
    lone = _clip(root.path / "clips", _STILL, "real")
    rows = [["uri", "label", "split", "group", "method"]]
    rows += [
        [p.name, "real", "val", f"media:{s}", "m"]
        for p, s in ((clips[0], _STILL), (other, _OTHER), (clips[1], _STILL))
    ]
    with (folder / "clips.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    write_manifest(root.manifest("stills"), [ManifestRow("/m/s.png", "stills", media_id=_STILL)])
    write_manifest(
        root.manifest("clips"),
        [
            ManifestRow(str(p), "clips", media_id=digest_of_bytes(p.read_bytes()))
            for p in (*clips, other)
        ],
    )
    done = forget(root, "/m/s.png")
    assert digest_of_bytes(b"a clip of " + _STILL.encode() + b" as real") in done.media.media_ids
    assert not any(clip.exists() for clip in clips)
    assert other.exists()
    assert lone.exists(), "no list beside it says that it is one of ours"
    with (folder / "clips.csv").open(newline="") as stream:
        assert [row[0] for row in csv.reader(stream)] == ["uri", other.name]
    assert [row.uri for row in read_manifest(root.manifest("clips"))] == [str(other)]
    assert mentions(folder, _STILL, _STILL[:16]) == []


def test_clips_of_a_recording_go_with_it(tmp_path: Path) -> None:
    root = DataRoot(tmp_path / "data")
    files = [CropFile(name, "real", "val", kind="video", num_crops=3) for name in ("a", "b")]
    snapshot = write_corpus(root.path, files, corpus="recordings")
    folder = root.path / "clips" / "recordings"
    folder.mkdir(parents=True)
    plans = plan_clips(snapshot)
    for plan in plans:
        (folder / plan.name).write_text(plan.name)
    rows = [["uri", "label"], *([plan.name, str(plan.label)] for plan in plans)]
    with (folder / "clips.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    forget(root, "/corpus/a")
    left = sorted(plan.name for plan in plans if plan.uri == "/corpus/b")
    assert 0 < len(left) < len(plans)
    assert sorted(path.name for path in folder.glob("*.mp4")) == left
    with (folder / "clips.csv").open(newline="") as stream:
        assert sorted(row[0] for row in csv.reader(stream)) == [*left, "uri"]
