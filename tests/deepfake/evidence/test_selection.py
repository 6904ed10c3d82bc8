"""Evidence is for the highest-scoring and most uncertain files; a changed score makes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake.config import WorkerLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import DataError
from deepfake.evidence import (
    EvidenceRecord,
    EvidenceRequest,
    create_request,
    evidence_folder,
    explain_scores,
    list_evidence,
    read_record,
    write_evidence,
)
from deepfake.evidence.selection import (
    find_missing_evidence,
    find_request,
    remove_stale_evidence,
)
from deepfake.media import write_image
from deepfake.scoring import FRAMES_SCHEMA, SCORES_SCHEMA, ScorerSetup, score_media
from deepfake.storage import sha256_of
from tests.credentials import make_chain, sign_file
from tests.sample_data import face_close_up, make_detector, write_face_clip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return an untrained detector: real under 0.35, fake from 0.65."""
    return load_bundle(make_detector(tmp_path_factory.mktemp("detector") / "bundle"))


def _media_id(number: int) -> str:
    return f"{number:064x}"


def _logit(prob: float) -> float:
    return float(np.log(prob / (1 - prob)))


def _write(version_dir: Path, probs: list[float | None]) -> None:
    """Write the tables of so many pictures; None is one without a face."""
    scores, frames = [], []
    for number, prob in enumerate(probs):
        uri, media_id = f"/media/{number}.png", _media_id(number)
        score: dict[str, Any] = dict.fromkeys(SCORES_SCHEMA.names)
        score |= {"uri": uri, "media_id": media_id, "kind": "image", "prior": 0.5}
        score |= {"status": "no_face" if prob is None else "ok", "model_digest": "d"}
        if prob is not None:
            score |= {"prob_fake": prob, "logit": _logit(prob), "strongest_track_id": 0}
            frame: dict[str, Any] = dict.fromkeys(FRAMES_SCHEMA.names)
            frame |= {"uri": uri, "media_id": media_id, "track_id": 0, "frame_index": 0}
            frame |= {"bbox_xyxy": [0.0, 0.0, 9.0, 9.0], "prob_fake": prob, "logit": _logit(prob)}
            frames.append({**frame, "pts_seconds": 0.0, "confidence": 1.0})
        scores.append(score)
    version_dir.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(scores, SCORES_SCHEMA), version_dir / "scores.parquet")
    pq.write_table(pa.Table.from_pylist(frames, FRAMES_SCHEMA), version_dir / "frames.parquet")


def _found(version_dir: Path, bundle: Bundle, num_files: int) -> list[EvidenceRequest]:
    return find_missing_evidence(version_dir, bundle=bundle, num_files=num_files)


def test_half_are_the_highest_and_half_the_least_certain(tmp_path: Path, bundle: Bundle) -> None:
    _write(tmp_path, [0.01, 0.99, 0.48, None, 0.9, 0.2, 0.56])
    assert [request.media_id for request in _found(tmp_path, bundle, 4)] == [
        _media_id(number) for number in (1, 4, 2, 6)
    ]
    assert len(_found(tmp_path, bundle, 100)) == 6, "no face, no evidence"
    assert _found(tmp_path, bundle, 0) == []


def test_what_is_there_is_not_made_again_until_its_score_changes(
    tmp_path: Path, bundle: Bundle
) -> None:
    _write(tmp_path, [0.9, 0.5])
    folder = evidence_folder(tmp_path)
    for request in _found(tmp_path, bundle, 10):
        made_for = request.made_for
        write_evidence(folder, EvidenceRecord(media_id=request.media_id, made_for=made_for), {})
    assert _found(tmp_path, bundle, 10) == []
    _write(tmp_path, [0.9, 0.6])
    (changed,) = _found(tmp_path, bundle, 10)
    assert changed.media_id == _media_id(1)


def test_evidence_goes_with_its_score_and_not_before(tmp_path: Path, bundle: Bundle) -> None:
    _write(tmp_path, [0.9, 0.1, 0.5])
    folder = evidence_folder(tmp_path)
    for request in _found(tmp_path, bundle, 3):
        made_for = request.made_for
        write_evidence(folder, EvidenceRecord(media_id=request.media_id, made_for=made_for), {})
    _found(tmp_path, bundle, 1)
    remove_stale_evidence(tmp_path)
    assert set(list_evidence(folder)) == {_media_id(number) for number in range(3)}
    _write(tmp_path, [0.9, 0.2])
    remove_stale_evidence(tmp_path)
    assert list(list_evidence(folder)) == [_media_id(0)], "one changed, one is gone"


def test_the_request_for_one_score(tmp_path: Path, bundle: Bundle) -> None:
    _write(tmp_path, [0.9, None])
    request = find_request(tmp_path, _media_id(0))
    assert request == _found(tmp_path, bundle, 1)[0]
    with pytest.raises(DataError, match="no score of that content"):
        find_request(tmp_path, _media_id(1))


def test_what_could_not_be_made_whole_is_tried_again_when_asked(
    tmp_path: Path, bundle: Bundle
) -> None:
    _write(tmp_path, [0.9])
    (request,) = _found(tmp_path, bundle, 1)
    record = EvidenceRecord(media_id=request.media_id, made_for=request.made_for, is_whole=False)
    write_evidence(evidence_folder(tmp_path), record, {})
    assert _found(tmp_path, bundle, 1) == []
    assert find_missing_evidence(tmp_path, bundle=bundle, num_files=1, is_retrying_failed=True)


def test_a_content_with_two_names_is_one(tmp_path: Path, bundle: Bundle) -> None:
    _write(tmp_path, [0.9, 0.8])
    table = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    copies = [*table, {**table[0], "uri": "/media/a-copy.png"}]
    pq.write_table(pa.Table.from_pylist(copies, SCORES_SCHEMA), tmp_path / "scores.parquet")
    found = _found(tmp_path, bundle, 10)
    assert [request.media_id for request in found] == [_media_id(0), _media_id(1)]


def _row(path: Path) -> ManifestRow:
    found = path.stat()
    return ManifestRow(str(path), "c", size_bytes=found.st_size, mtime_ns=found.st_mtime_ns)


@pytest.mark.slow
def test_evidence_of_real_files_and_a_file_that_changed(tmp_path: Path, bundle: Bundle) -> None:
    plain, signed = tmp_path / "plain.jpg", tmp_path / "signed.jpg"
    write_image(plain, face_close_up())
    sign_file(plain, signed, chain=make_chain())
    clip = write_face_clip(tmp_path / "clip.mp4")
    setup = ScorerSetup(DetectorIdentity(bundle.path, "tried"))
    limits = WorkerLimits()
    media = score_media([_row(p) for p in (plain, signed, clip)], setup=setup, limits=limits)
    assert {medium.score.status for medium in media} == {"ok"}
    before = [medium.score for medium in media]
    plain.write_bytes(signed.read_bytes())
    of_plain, of_signed, of_clip = explain_scores(media, setup=setup, limits=limits)
    assert [medium.score for medium in media] == before
    assert of_plain.pictures == {} and not of_plain.record.is_whole
    assert any("no longer the file" in note for note in of_plain.record.notes)
    assert of_signed.record.is_whole and of_signed.record.notes == ()
    provenance = of_signed.record.provenance
    assert provenance is not None and provenance.credentials is not None
    assert provenance.credentials.state == "untrusted"
    (crop,) = of_signed.record.crops
    assert crop.heat_picture in of_signed.pictures and crop.moved_by_hottest is not None
    (track,) = of_clip.record.tracks
    assert track.is_strongest and len(track.prob_fake) == media[2].score.num_faces
    assert len(of_clip.record.frames) == 3 and len(of_clip.record.crops) == 4
    assert max(track.prob_fake) == of_clip.record.crops[0].prob_fake
    for made in (of_signed, of_clip):
        assert set(made.record.pictures) == set(made.pictures)
        assert all(content.startswith(b"\xff\xd8\xff") for content in made.pictures.values())


@pytest.mark.slow
def test_a_file_that_breaks_its_worker_costs_a_note(tmp_path: Path, bundle: Bundle) -> None:
    clip = write_face_clip(tmp_path / "clip.mp4")
    setup = ScorerSetup(DetectorIdentity(bundle.path, "tried"))
    media = score_media([_row(clip)], setup=setup, limits=WorkerLimits())
    assert create_request(media[0].score.as_row(), media[0].frames).media_id == sha256_of(clip)
    (made,) = explain_scores(media, setup=setup, limits=WorkerLimits(cpu_seconds=0.2))
    assert made.pictures == {} and not made.record.is_whole
    assert any("CPU seconds" in note for note in made.record.notes)
    assert made.record.tracks, "the timeline needs no look at the file"


def test_evidence_is_read_back_by_its_content(tmp_path: Path) -> None:
    folder = evidence_folder(tmp_path)
    write_evidence(folder, EvidenceRecord(media_id=_media_id(7), made_for="x"), {})
    (folder / _media_id(7)).rename(folder / _media_id(8))
    assert read_record(folder, _media_id(8)) is None
