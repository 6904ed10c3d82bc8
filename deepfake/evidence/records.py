"""What is kept as the evidence for one file's score, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake.errors import DataError
from deepfake.evidence.provenance import Provenance
from deepfake.storage import (
    Location,
    StorePath,
    atomic_path,
    folders_in,
    read_json,
    remove_folder,
    write_json,
)

__all__ = [
    "CropEvidence",
    "EvidenceRecord",
    "FaceBox",
    "FrameEvidence",
    "TrackTimeline",
    "evidence_folder",
    "kept_evidence",
    "read_evidence",
    "read_picture",
    "remove_evidence",
    "write_evidence",
]

_RECORD = "evidence.json"
_MEDIA_ID = Field(pattern=r"^[0-9a-f]{64}$")
_PICTURE = Field(pattern=r"^[a-z]+-\d{1,3}\.jpg$")


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TrackTimeline(_Told):
    """How one face's probability went over time.

    Attributes:
        track_id: The track.
        is_strongest: Whether it is the one that decides.
        pts_seconds: Times of its crops, ascending.
        prob_fake: Of each.
    """

    track_id: int
    is_strongest: bool
    pts_seconds: tuple[float, ...]
    prob_fake: tuple[float, ...]


class FaceBox(_Told):
    """One face of a frame, in shares of the frame's width and height.

    Attributes:
        track_id: The track.
        box_xyxy: Left, top, right, bottom, 0 to 1; may reach over the border.
        prob_fake: Of this crop.
    """

    track_id: int
    box_xyxy: tuple[float, float, float, float]
    prob_fake: float


class FrameEvidence(_Told):
    """One of the strongest frames; the boxes are drawn into its picture.

    Attributes:
        picture: Name of the JPEG file.
        frame_index: Rank of the frame.
        pts_seconds: Its time.
        faces: Those found in it.
    """

    picture: str = _PICTURE
    frame_index: int
    pts_seconds: float
    faces: tuple[FaceBox, ...]


class CropEvidence(_Told):
    """A face as the network saw it, and what in it moved the score.

    Attributes:
        picture: Name of the JPEG file.
        heat_picture: The same under its heat map; None where there is none.
        track_id: The track.
        frame_index: Rank of its frame.
        pts_seconds: Its time.
        prob_fake: Of this crop.
        moved_by_hottest: How far the calibrated log-odds go when the hottest tenth is masked; None
            where that was not measured.
        moved_by_random: The same for a tenth at random, the mean of several.
    """

    picture: str = _PICTURE
    heat_picture: str | None = Field(default=None, pattern=r"^[a-z]+-\d{1,3}\.jpg$")
    track_id: int
    frame_index: int
    pts_seconds: float
    prob_fake: float
    moved_by_hottest: float | None = None
    moved_by_random: float | None = None


class EvidenceRecord(_Told):
    """The evidence for one file's score. It names no file: its content may have several names.

    Attributes:
        media_id: Digest of the content.
        made_for: Digest of the score and of what made this evidence: another one, and it is stale.
        is_whole: Whether all of it could be made.
        kind: Image or video.
        real_below: Where `real` ends, in the terms of `prob_fake`.
        fake_from: Where `fake` begins; over 1 where nothing is called fake.
        tracks: Timelines.
        frames: The strongest, first the strongest.
        crops: The strongest of the track that decides, first the strongest.
        provenance: What the file says of its own making; no part of the score.
        notes: What a reader must know, a sentence each; also why something is not there.
    """

    schema_name: Literal["deepfake.evidence"] = "deepfake.evidence"
    schema_version: Literal[1] = 1
    media_id: str = _MEDIA_ID
    made_for: str
    is_whole: bool = True
    kind: str | None = None
    real_below: float | None = None
    fake_from: float | None = None
    tracks: tuple[TrackTimeline, ...] = ()
    frames: tuple[FrameEvidence, ...] = ()
    crops: tuple[CropEvidence, ...] = ()
    provenance: Provenance | None = None
    notes: tuple[str, ...] = ()

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of all its pictures."""
        crops = [name for c in self.crops for name in (c.picture, c.heat_picture)]
        return tuple(name for name in (*(f.picture for f in self.frames), *crops) if name)


def evidence_folder(version: Location) -> Location:
    """Return the folder of all evidence of a version of the scores."""
    return version / "evidence"


def write_evidence(
    folder: Location, record: EvidenceRecord, pictures: Mapping[str, bytes]
) -> Location:
    """Write the evidence for one file in place of what was there, the record last.

    Args:
        folder: Of all evidence of a version.
        record: What it says.
        pictures: JPEG by name.

    Returns:
        The folder of this evidence.
    """
    own = folder / record.media_id
    remove_evidence(folder, record.media_id)
    for name in record.pictures:
        with atomic_path(own / name) as part:
            part.write_bytes(pictures[name])
    write_json(own / _RECORD, record.model_dump(mode="json"))
    return own


def read_evidence(folder: Location, media_id: str) -> EvidenceRecord | None:
    """Return the evidence for a content; None where there is none, or it cannot be made out.

    Args:
        folder: Of all evidence of a version.
        media_id: Of the content.
    """
    try:
        record = EvidenceRecord.model_validate(read_json(folder / media_id / _RECORD))
    except (DataError, ValidationError):
        return None
    return record if record.media_id == media_id else None


def kept_evidence(folder: Location) -> Iterator[str]:
    """Yield the media_id of each evidence that is there, whole or not."""
    if isinstance(folder, StorePath):
        yield from sorted({path.parent.name for path, _ in folder.iter_objects()})
    else:
        yield from folders_in(folder)


def remove_evidence(folder: Location, media_id: str) -> bool:
    """Remove the evidence for a content, and return whether there was any.

    Args:
        folder: Of all evidence of a version.
        media_id: Of the content.
    """
    own = folder / media_id
    if not own.is_dir():
        return False
    # Without its record it counts as not there: what a kill leaves is made again.
    (own / _RECORD).unlink(missing_ok=True)
    remove_folder(own)
    return True


def read_picture(folder: Location, media_id: str, name: str) -> bytes | None:
    """Return one picture of the evidence for a content; None where it is gone.

    Args:
        folder: Of all evidence of a version.
        media_id: Of the content.
        name: Of the picture, as its record names it.
    """
    try:
        return (folder / media_id / name).read_bytes()
    except OSError:
        return None
