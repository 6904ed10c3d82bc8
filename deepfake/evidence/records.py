"""Evidence records: the evidence for one file's score, as it is written, read and removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from deepfake.config import StoredRecord
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
    "Evidence",
    "EvidenceRecord",
    "FaceBox",
    "FrameEvidence",
    "MouthBlock",
    "SyncEvidence",
    "TrackTimeline",
    "VoiceEvidence",
    "VoiceWindow",
    "evidence_folder",
    "list_evidence",
    "load_evidence",
    "read_picture",
    "read_record",
    "remove_evidence",
    "write_evidence",
]

_FILE_NAME = "evidence.json"
_MAX_WAVEFORM = 600
_LEVEL = Field(ge=-127, le=127)
_MEDIA_ID = Field(pattern=r"^[0-9a-f]{64}$")
_PICTURE = Field(pattern=r"^[a-z]+-\d{1,3}\.jpg$")


class TrackTimeline(StoredRecord):
    """The probability of one face over time.

    Attributes:
        track_id: The track.
        is_strongest: Whether this track decides the score.
        pts_seconds: Times of its crops, ascending.
        prob_fake: Probability of each crop.
    """

    track_id: int
    is_strongest: bool
    pts_seconds: tuple[float, ...]
    prob_fake: tuple[float, ...]


class FaceBox(StoredRecord):
    """The box around one face in a frame.

    Attributes:
        track_id: The track.
        box_xyxy: Left, top, right, bottom, relative to the frame's width and height; may reach
            beyond 0 and 1.
        prob_fake: Probability of this crop.
    """

    track_id: int
    box_xyxy: tuple[float, float, float, float]
    prob_fake: float


class FrameEvidence(StoredRecord):
    """One of the strongest frames, with boxes drawn into its picture.

    Attributes:
        picture: Name of the JPEG file.
        frame_index: Index of the frame.
        pts_seconds: Time of the frame.
        faces: The faces found in it.
    """

    picture: str = _PICTURE
    frame_index: int
    pts_seconds: float
    faces: tuple[FaceBox, ...]


class CropEvidence(StoredRecord):
    """A face crop as the network saw it, and what in it moved the score.

    Attributes:
        picture: Name of the JPEG file.
        heat_picture: Name of the JPEG file with the heat map over it; None where there is none.
        track_id: The track.
        frame_index: Index of its frame.
        pts_seconds: Time of its frame.
        prob_fake: Probability of this crop.
        moved_by_hottest: How far the calibrated log-odds move when the hottest tenth is masked;
            None where that was not measured.
        moved_by_random: The same for a random tenth, the mean of several.
    """

    picture: str = _PICTURE
    heat_picture: str | None = Field(default=None, pattern=r"^[a-z]+-\d{1,3}\.jpg$")
    track_id: int
    frame_index: int
    pts_seconds: float
    prob_fake: float
    moved_by_hottest: float | None = None
    moved_by_random: float | None = None


class VoiceWindow(StoredRecord):
    """A window of speech.

    Attributes:
        pts_seconds: Where it begins.
        end_seconds: Where it ends.
        prob_fake: How probable spoofed speech is, by this window alone.
        is_strongest: Whether it looks most like a fake; true of one.
    """

    pts_seconds: float
    end_seconds: float
    prob_fake: float
    is_strongest: bool = False


class VoiceEvidence(StoredRecord):
    """The probability of spoofed speech over time, and the sound that it was judged by.

    Attributes:
        windows: The windows of speech, ascending in time.
        real_below: Probability under which the verdict is `real`; None where that is not known.
        fake_from: Probability from which it is `fake`; over 1 where it never is, None as above.
        duration_seconds: How long the sound is, as far as it was listened to; None where it could
            not be read.
        waveform: Least and greatest value of each of so many equal parts of that duration, -127
            to 127; empty where the sound could not be read.
    """

    windows: tuple[VoiceWindow, ...]
    real_below: float | None = None
    fake_from: float | None = None
    duration_seconds: float | None = Field(default=None, ge=0)
    waveform: tuple[tuple[Annotated[int, _LEVEL], Annotated[int, _LEVEL]], ...] = Field(
        default=(), max_length=_MAX_WAVEFORM
    )

    @property
    def strongest(self) -> VoiceWindow | None:
        """The window that looks most like a fake; None without any."""
        return next((window for window in self.windows if window.is_strongest), None)


class MouthBlock(StoredRecord):
    """About a second in which lips were compared with sound.

    Attributes:
        pts_seconds: Where it begins.
        end_seconds: Where it ends.
        prob_mismatch: How probable a mismatch is, by this block alone.
        offset_seconds: Of the sound against the lips, where both fit best here.
        track_id: The face that speaks; None where that is not known.
        is_strongest: Whether it fits least; true of one.
    """

    pts_seconds: float
    end_seconds: float
    prob_mismatch: float
    offset_seconds: float
    track_id: int | None = None
    is_strongest: bool = False


class SyncEvidence(StoredRecord):
    """The probability of a mismatch of lips and sound over time.

    Attributes:
        blocks: Ascending in time.
        mismatch_from: Probability from which it is a mismatch; over 1 where it never is, None where
            that is not known.
        offset_seconds: Of the sound against the picture throughout; positive where it is late.
        is_out_of_sync: Whether that is more than people tolerate.
        speaking_track_id: The face that speaks; None where that is not known.
    """

    blocks: tuple[MouthBlock, ...]
    mismatch_from: float | None = None
    offset_seconds: float | None = None
    is_out_of_sync: bool = False
    speaking_track_id: int | None = None


class EvidenceRecord(StoredRecord):
    """The record of the evidence for one file's score.

    It names no file, since a content may have several names.

    Attributes:
        media_id: Digest of the content.
        made_for: Digest of the score and of what made this evidence; if it differs, the evidence is
            stale.
        is_whole: Whether all of it could be made.
        kind: `image`, `video` or `audio`.
        real_below: `prob_fake` under which the verdict is `real`; None without a score of faces.
        fake_from: `prob_fake` from which the verdict is `fake`; over 1 where it never is, None as
            above.
        tracks: Timelines.
        frames: The strongest frames, in descending order.
        crops: The strongest crops of the deciding track, in descending order.
        provenance: What the file says about how it was made; no part of the score.
        notes: What a reader must know, a sentence each, such as why something is missing.
        voice: The voice over time; None where it was not judged, as in records of earlier versions.
        sync: Lips and sound over time; None as above.
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
    voice: VoiceEvidence | None = None
    sync: SyncEvidence | None = None

    @property
    def pictures(self) -> tuple[str, ...]:
        """The file names of all its pictures."""
        crops = [name for c in self.crops for name in (c.picture, c.heat_picture)]
        return tuple(name for name in (*(f.picture for f in self.frames), *crops) if name)

    def without_pictures(self, reason: str) -> EvidenceRecord:
        """Return the record as incomplete, with a note that says why it has no pictures."""
        notes = (*self.notes, f"There are no pictures: {reason}.")
        return self.model_copy(update={"is_whole": False, "notes": notes})


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for one file's score: its record and its pictures.

    Attributes:
        record: The record.
        pictures: JPEG by name; a picture that is no longer on disk is missing.
    """

    record: EvidenceRecord
    pictures: Mapping[str, bytes]


def evidence_folder(version_dir: Location) -> Location:
    """Return the folder of all evidence for one version of the scores."""
    return version_dir / "evidence"


def write_evidence(
    folder: Location, record: EvidenceRecord, pictures: Mapping[str, bytes]
) -> Location:
    """Write the evidence for one file in place of any that is there, the record last.

    Args:
        folder: From `evidence_folder`.
        record: The record.
        pictures: The JPEG of each of its pictures, by name.

    Returns:
        The folder of this evidence.
    """
    own = folder / record.media_id
    remove_evidence(folder, record.media_id)
    for name in record.pictures:
        with atomic_path(own / name) as temporary:
            temporary.write_bytes(pictures[name])
    write_json(own / _FILE_NAME, record.model_dump(mode="json"))
    return own


def read_record(folder: Location, media_id: str) -> EvidenceRecord | None:
    """Return the record of a content's evidence; None where there is none, or it is damaged.

    Args:
        folder: From `evidence_folder`.
        media_id: The content.
    """
    try:
        record = EvidenceRecord.model_validate(read_json(folder / media_id / _FILE_NAME))
    except (DataError, ValidationError):
        return None
    return record if record.media_id == media_id else None


def load_evidence(folder: Location, media_id: str) -> Evidence | None:
    """Return the evidence for a content, with the pictures that are there; None if there is none.

    Args:
        folder: From `evidence_folder`.
        media_id: The content.
    """
    record = read_record(folder, media_id)
    if record is None:
        return None
    pictures = {name: read_picture(folder, media_id, name) for name in record.pictures}
    return Evidence(record, {name: jpeg for name, jpeg in pictures.items() if jpeg is not None})


def list_evidence(folder: Location) -> Iterator[str]:
    """Yield the media_id of each content that has evidence, complete or not."""
    if isinstance(folder, StorePath):
        yield from sorted({path.parent.name for path, _ in folder.iter_objects()})
    else:
        yield from folders_in(folder)


def remove_evidence(folder: Location, media_id: str) -> bool:
    """Remove the evidence for a content, and return whether there was any.

    Args:
        folder: From `evidence_folder`.
        media_id: The content.
    """
    own = folder / media_id
    if not own.is_dir():
        return False
    # Evidence without its record counts as missing: after a kill, it is made again.
    (own / _FILE_NAME).unlink(missing_ok=True)
    remove_folder(own)
    return True


def read_picture(folder: Location, media_id: str, name: str) -> bytes | None:
    """Return one picture of the evidence for a content; None where it is missing.

    Args:
        folder: From `evidence_folder`.
        media_id: The content.
        name: Name of the picture, from the record.
    """
    try:
        return (folder / media_id / name).read_bytes()
    except OSError:
        return None
