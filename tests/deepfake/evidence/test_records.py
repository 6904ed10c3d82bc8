"""What is kept as evidence: whole or not there, under names that cannot lead elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deepfake.evidence import (
    CropEvidence,
    EvidenceRecord,
    list_evidence,
    read_picture,
    read_record,
    remove_evidence,
    write_evidence,
)
from deepfake.storage import Location, location_of

_ID = "ab" * 32


@pytest.fixture(params=["folder", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Return a place for evidence, here and in a store in memory."""
    if request.param == "folder":
        return tmp_path / "evidence"
    return location_of(f"memory://{tmp_path.name}/evidence")


def _record(**more: Any) -> EvidenceRecord:
    crop = CropEvidence(
        picture="crop-0.jpg",
        heat_picture="heat-0.jpg",
        track_id=0,
        frame_index=0,
        pts_seconds=0.0,
        prob_fake=0.5,
    )
    return EvidenceRecord(media_id=_ID, made_for="x", crops=(crop,), **more)


_PICTURES = {"crop-0.jpg": b"crop", "heat-0.jpg": b"heat"}


def test_it_is_read_as_it_was_written_and_removed_whole(folder: Location) -> None:
    assert read_record(folder, _ID) is None
    write_evidence(folder, _record(), _PICTURES)
    assert read_record(folder, _ID) == _record()
    assert read_picture(folder, _ID, "heat-0.jpg") == b"heat"
    assert list(list_evidence(folder)) == [_ID]
    assert remove_evidence(folder, _ID)
    assert not remove_evidence(folder, _ID)
    assert list(list_evidence(folder)) == []
    assert read_picture(folder, _ID, "heat-0.jpg") is None


def test_new_evidence_leaves_nothing_of_the_old(folder: Location) -> None:
    write_evidence(folder, _record(), _PICTURES)
    write_evidence(folder, EvidenceRecord(media_id=_ID, made_for="y"), {})
    record = read_record(folder, _ID)
    assert record is not None and record.made_for == "y"
    assert read_picture(folder, _ID, "crop-0.jpg") is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"media_id": "no"}'])
def test_what_cannot_be_made_out_counts_as_not_there(tmp_path: Path, content: str) -> None:
    write_evidence(tmp_path, _record(), _PICTURES)
    (tmp_path / _ID / "evidence.json").write_text(content)
    assert read_record(tmp_path, _ID) is None
    assert list(list_evidence(tmp_path)) == [_ID], "and is removed all the same"


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/passwd", "crop-0.html", "a/b-0.jpg", ""])
def test_a_picture_lies_beside_its_record(name: str) -> None:
    record = _record().model_dump(mode="json")
    record["crops"][0]["picture"] = name
    with pytest.raises(ValidationError):
        EvidenceRecord.model_validate(record)


def test_a_record_names_a_content_and_no_file() -> None:
    assert not {"uri", "path"} & EvidenceRecord.model_fields.keys()
    with pytest.raises(ValidationError):
        EvidenceRecord(media_id="../" + _ID, made_for="x")
