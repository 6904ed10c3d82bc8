"""Finished parts against a detector's own media, whatever runs they are of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle
from deepfake.scoring import DriftResult, DriftWatch, ScoringState, open_state
from deepfake.scoring.drift import REFERENCE_NAME, fit_reference, write_reference
from deepfake.scoring.parts import write_part
from deepfake.scoring.schemas import TRACKS_SCHEMA
from deepfake.scoring.scorer_settings import ScoredMedium
from deepfake.types import Kind
from tests.scores import make_score


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Return a detector whose stills had faces of 100 pixels, more or less."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    rng = np.random.default_rng(0)
    reference = fit_reference(
        {
            Kind.IMAGE: {
                "logit": rng.normal(0, 2, 400),
                "face_px": rng.normal(100, 20, 400),
                "bytes_per_pixel": rng.normal(1.0, 0.2, 400),
            }
        },
        labels={Kind.IMAGE: np.tile([0.0, 1.0], 200)},
        data_digests={"stills": "00ff"},
    )
    assert reference is not None
    write_reference(folder, reference)
    made = SimpleNamespace(path=folder, digest="0123456789abcdef", spec=SimpleNamespace(prior=0.5))
    return cast(Bundle, made)


def _medium(name: str, rng: np.random.Generator, *, face_px: float) -> ScoredMedium:
    own = {"uri": f"/m/{name}", "media_id": name}
    score = make_score(
        own["uri"], name, kind=Kind.IMAGE, logit=rng.normal(0, 2), strongest_track_id=1
    )
    track = {**dict.fromkeys(TRACKS_SCHEMA.names), **own}
    tracks = [
        # Another person's, which decides nothing.
        {**track, "track_id": 0, "face_px": 9999.0},
        {**track, "track_id": 1, "face_px": rng.normal(face_px, 20)},
    ]
    return ScoredMedium(score, tuple(tracks), ())


def _no_face(name: str) -> ScoredMedium:
    return ScoredMedium(make_score(f"/m/{name}", name, status="no_face"))


def _run(
    folder: Path, watch: DriftWatch, batches: Sequence[Sequence[ScoredMedium]]
) -> tuple[DriftResult, ScoringState]:
    with open_state(folder / "state.sqlite", folder="/m", version="v") as state:
        for number, media in enumerate(batches):
            key = f"{state.run:08x}{number:08x}"
            state.commit(write_part(folder / "parts", key=key, run_number=state.run, media=media))
        result = watch.compare(
            state, parts=folder / "parts", scratch=folder / "tmp", prior=None, limit=0.25
        )
    return result, state


def _features(result: DriftResult) -> dict[str, Any]:
    assert result.drift is not None
    return {found.name: found for found in result.drift.features}


def test_media_as_ever_are_stable_and_larger_faces_are_not(bundle: Bundle, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    (tmp_path / "parts").mkdir()
    alike = [_medium(f"a{i}", rng, face_px=100) for i in range(120)]
    batches = [alike[:50], [*alike[50:], _no_face("x")]]
    result, _ = _run(tmp_path, DriftWatch(bundle), batches)
    found = _features(result)
    assert {name: f.level for name, f in found.items()} == {"logit": "stable", "face_px": "stable"}
    assert found["face_px"].num_media == 120, "who shows no face has no feature"
    assert result.note == "the 121 media of this run"
    assert result.as_record()["is_drifted"] is False

    larger = [_medium(f"b{i}", rng, face_px=200) for i in range(110)]
    result, _ = _run(tmp_path, DriftWatch(bundle), [larger])
    found = _features(result)
    assert found["face_px"].num_media == 110, "those of the run before are not among them"
    assert [f.name for f in result.moved] == ["face_px"]
    assert result.as_record()["reference"] == {"stills": "00ff"}

    result, _ = _run(tmp_path, DriftWatch(bundle), [[_medium("c", rng, face_px=100)]])
    assert result.note == "all media scored so far"
    assert _features(result)["face_px"].num_media == 231


def test_a_medium_that_was_scored_again_counts_once(bundle: Bundle, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    (tmp_path / "parts").mkdir()
    for _ in range(3):
        media = [_medium(f"a{i}", rng, face_px=100) for i in range(40)]
        result, _ = _run(tmp_path, DriftWatch(bundle), [media])
    assert _features(result)["face_px"].num_media == 40


def test_compression_is_seen_at_probing(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    watch = DriftWatch(bundle)
    row = ManifestRow("/m/a", "m", kind=Kind.IMAGE, size_bytes=500, width=100, height=100)
    watch.add_probed([row] * 60)
    watch.add_probed([ManifestRow("/m/b", "m"), ManifestRow("/m/c", "m", kind=Kind.IMAGE)])
    result, _ = _run(tmp_path, watch, [[_no_face("a")]])
    (found,) = result.moved
    assert (found.name, found.num_media) == ("bytes_per_pixel", 60)
    assert found.actual[0] > 0.9, "0.05 bytes a pixel lie far below 1"


def test_a_detector_without_a_reference_says_so(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    path = bundle.path / REFERENCE_NAME
    path.write_text("{}")
    damaged, _ = _run(tmp_path, DriftWatch(bundle), [[_no_face("a")]])
    assert "no reference" in damaged.note
    path.unlink()
    lacking, _ = _run(tmp_path, DriftWatch(bundle), [[_no_face("b")]])
    assert lacking.note == "the detector keeps no reference to compare with"
    assert lacking.as_record()["features"] == []
    assert lacking.moved == ()
