"""Labels of pictures are not taken for labels of sound, nor the other way round."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from deepfake.cli.ingest import run_ingest
from deepfake.config.options import IngestOptions
from deepfake.corpora.layouts import LAYOUTS, scan_corpus, scan_media
from deepfake.errors import ConfigError
from deepfake.types import Label, Status
from tasks.ingest import scan

_SOUNDS = ("a.wav", "b.flac", "c.mp3", "d.m4a", "e.ogg", "f.opus", "g.amr", "h.wma", "i.au")


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ("faceforensics", "labels its pictures only"),
        ("celebdf", "labels its pictures only"),
        ("dfdc", "labels a file as a whole"),
    ],
)
def test_corpora_whose_sound_has_no_labels_are_refused(
    tmp_path: Path, layout: str, reason: str
) -> None:
    for modality in ("voice", "sync"):
        with pytest.raises(ConfigError, match=f"no labels for the modality '{modality}'.*{reason}"):
            scan_corpus(tmp_path, corpus="c", layout=layout, modality=modality)


def test_layouts_of_anything_take_labels_of_sound(tmp_path: Path) -> None:
    for label in ("real", "fake"):
        (tmp_path / label).mkdir()
        for name in _SOUNDS:
            (tmp_path / label / name).write_bytes(b"x")
    rows = scan_corpus(tmp_path, corpus="c", layout="folder", modality="voice")
    assert len(rows) == 2 * len(_SOUNDS)
    assert {row.label for row in rows} == {Label.REAL, Label.FAKE}
    assert {row.status for row in rows} == {Status.OK}
    (tmp_path / "list.csv").write_text("uri,label\nreal/a.wav,real\nfake/a.wav,fake\n")
    listed = scan_corpus(tmp_path / "list.csv", corpus="c", layout="csv", modality="voice")
    assert [row.label for row in listed] == [Label.FAKE, Label.REAL]


def test_a_folder_that_is_named_like_sound_is_not_walked(tmp_path: Path) -> None:
    for name in ("song.mp3", "flac", "abc.net.au"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.flac").write_bytes(b"x")
    found = {Path(row.uri).relative_to(tmp_path).as_posix() for row in scan_media(tmp_path)}
    assert found == {"song.mp3", "flac/a.flac", "abc.net.au/a.flac"}


def test_every_layout_can_be_named_with_the_option() -> None:
    offered = typing.get_args(IngestOptions.model_fields["layout"].annotation)
    assert sorted(offered) == sorted(LAYOUTS)


def test_the_command_refuses_before_it_starts_anything(tmp_path: Path) -> None:
    for layout, modality in (("faceforensics", "voice"), ("asvspoof", "faces")):
        options = IngestOptions.model_validate(
            {
                "input_path": str(tmp_path),
                "corpus": "c",
                "layout": layout,
                "modality": modality,
                "data_root": str(tmp_path / "data"),
            }
        )
        with pytest.raises(ConfigError, match="no labels for the modality"):
            run_ingest(options)
    assert not (tmp_path / "data").exists()


def test_the_step_of_the_flow_takes_labels_of_what_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "RealVideo-FakeAudio/African/men/id00076/00109_fake.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with disable_run_logger():
        labels = {
            modality: scan.fn(str(tmp_path), corpus="c", layout="fakeavceleb", modality=modality)[
                0
            ].label
            for modality in ("faces", "voice")
        }
    assert labels == {"faces": Label.REAL, "voice": Label.FAKE}
