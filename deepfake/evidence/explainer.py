"""In a media worker: make the evidence for one score, from the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake.config import MediaLimits
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.sync_bundle import load_sync_bundle
from deepfake.detectors.voice_bundle import load_voice_bundle
from deepfake.errors import DeepfakeError, MediaError, SoundOnlyError
from deepfake.evidence.crops import CropExplainer
from deepfake.evidence.frames import draw_frame
from deepfake.evidence.provenance import Provenance, describe_provenance, read_credentials
from deepfake.evidence.records import Evidence, EvidenceRecord
from deepfake.evidence.request import EvidenceRequest
from deepfake.evidence.timelines import create_record
from deepfake.evidence.voices import add_waveform
from deepfake.media import (
    limit_threads,
    motion_video,
    open_video,
    probe_still,
    read_pages,
    read_tags,
)
from deepfake.media.sound import open_sound
from deepfake.storage import medium_file, sampled_digest_of, sha256_of
from deepfake.types import Frame, Kind

__all__ = [
    "Explainer",
    "ExplainerSetup",
    "create_explainer",
    "explain_medium",
    "read_provenance",
]


@dataclass(frozen=True, slots=True)
class ExplainerSetup:
    """What a worker needs to make evidence.

    Attributes:
        bundle: Folder of the detector.
        limits: How large a medium may be.
        max_frames: How many whole frames are shown, the strongest first.
        max_crops: How many faces of the deciding track are shown, the strongest first.
        voice: Folder of the detector of voices; None leaves its thresholds out.
        sync: Folder of the detector of lips and sound; None leaves its threshold out.
    """

    bundle: Path
    limits: MediaLimits = MediaLimits()  # noqa: RUF009 - frozen
    max_frames: int = 3
    max_crops: int = 4
    voice: Path | None = None
    sync: Path | None = None


class Explainer:
    """Makes the evidence for one score after another, in one thread.

    Args:
        setup: Which detector, and how large media may be.
    """

    def __init__(self, setup: ExplainerSetup) -> None:
        self._setup = setup
        self._bundle = load_bundle(setup.bundle)
        self._voice = None if setup.voice is None else load_voice_bundle(setup.voice)
        self._sync = None if setup.sync is None else load_sync_bundle(setup.sync)
        self._crops = CropExplainer(self._bundle)

    def explain(self, request: EvidenceRequest) -> Evidence:
        """Return the evidence for a score, without provenance; a note says what is missing."""
        record = create_record(
            request, bundle=self._bundle, voice_bundle=self._voice, sync_bundle=self._sync
        )
        try:
            with medium_file(request.uri, max_bytes=self._setup.limits.max_bytes) as path:
                _check_content(path, request.media_id)
                # The sound first: where the pictures cannot be read again, it is there.
                record = self._add_sound(record, path)
                return self._add_pictures(record, request, path)
        except (DeepfakeError, OSError, ValueError) as error:
            return Evidence(record.without_pictures(_message(error)), {})

    def _add_sound(self, record: EvidenceRecord, path: Path) -> EvidenceRecord:
        """Return the record with the waveform of the voice; a note says why there is none."""
        if record.voice is None:
            return record
        try:
            voice = add_waveform(record.voice, path, limits=self._setup.limits, bundle=self._voice)
        except DeepfakeError as error:
            notes = (*record.notes, f"There is no waveform: {error.message}.")
            return record.model_copy(update={"is_whole": False, "notes": notes})
        return record.model_copy(update={"voice": voice})

    def _add_pictures(
        self, record: EvidenceRecord, request: EvidenceRequest, path: Path
    ) -> Evidence:
        rows = _deciding_faces(request)
        if not rows:
            return Evidence(record, {})
        rows_by_crop_id = rows[: self._setup.max_crops]
        indices = list(dict.fromkeys(int(row["frame_index"]) for row in rows))
        indices = indices[: self._setup.max_frames]
        wanted = sorted({*indices, *(int(row["frame_index"]) for row in rows_by_crop_id)})
        frames = self._read_frames(path, wanted, kind=request.score.get("kind"))
        drawn = [
            draw_frame(frames[index], request, picture=f"frame-{number}.jpg")
            for number, index in enumerate(index for index in indices if index in frames)
        ]
        found = [row for row in rows_by_crop_id if int(row["frame_index"]) in frames]
        crops = self._crops.explain(request, found, frames)
        notes = [*record.notes, *crops.notes]
        if len(frames) < len(wanted):
            notes.append(f"{len(wanted) - len(frames)} frames could not be decoded again.")
        update = {
            "frames": tuple(frame for frame, _ in drawn),
            "crops": crops.crops,
            "notes": tuple(notes),
        }
        pictures = {**{frame.picture: jpeg for frame, jpeg in drawn}, **crops.pictures}
        return Evidence(record.model_copy(update=update), pictures)

    def _read_frames(
        self, path: Path, indices: Sequence[int], *, kind: str | None
    ) -> dict[int, Frame]:
        limits = self._setup.limits
        if probe_still(path, limits=limits) is None:
            return self._read_video(path, indices)
        if kind == Kind.VIDEO:
            with motion_video(path, limits=limits) as video:
                return {} if video is None else self._read_video(video, indices)
        pages = read_pages(path, limits=limits)
        return {page.frame_index: page for page in pages if page.frame_index in indices}

    def _read_video(self, path: Path, indices: Sequence[int]) -> dict[int, Frame]:
        with open_video(path, decoder="pyav", limits=self._setup.limits) as reader:
            known = [index for index in indices if index < reader.info.num_frames]
            return {frame.frame_index: frame for frame in reader.read(known)}

    def read_provenance(self, request: EvidenceRequest) -> Provenance:
        """Return what a file says about how it was made.

        Raises:
            DeepfakeError: It cannot be read, or is no longer the file that was scored.
        """
        limits = self._setup.limits
        with medium_file(request.uri, max_bytes=limits.max_bytes) as path:
            _check_content(path, request.media_id)
            note = None
            try:
                tags = read_tags(path, limits=limits)
            except MediaError as error:
                tags, note = {}, f"Its metadata cannot be read: {error.message}."
            credentials = read_credentials(path, container=_container(path, limits=limits))
            return describe_provenance(credentials, tags=tags, note=note)


def _deciding_faces(request: EvidenceRequest) -> list[Mapping[str, Any]]:
    """Return the rows of the faces of the track that decides, the strongest first."""
    own = [r for r in request.frames if r["track_id"] == request.score.get("strongest_track_id")]
    rows = own or list(request.frames)
    return sorted(rows, key=lambda row: (-float(row["logit"]), int(row["frame_index"])))


def _container(path: Path, *, limits: MediaLimits) -> str:
    still = probe_still(path, limits=limits)
    if still is not None:
        return still.container
    try:
        with open_video(path, decoder="pyav", limits=limits) as reader:
            return reader.info.container
    except SoundOnlyError:
        sound = open_sound(path, limits=limits)
        if sound is None:
            raise
        with sound:
            return sound.info.container


def _check_content(path: Path, media_id: str) -> None:
    if media_id not in (sha256_of(path), sampled_digest_of(path)):
        raise MediaError("it is no longer the file that was scored", path=path)


def _message(error: Exception) -> str:
    return error.message if isinstance(error, DeepfakeError) else str(error)


def create_explainer(setup: ExplainerSetup) -> Explainer:
    """Set up a worker: one thread for each library, quiet decoders."""
    limit_threads()
    return Explainer(setup)


def explain_medium(explainer: Explainer, request: EvidenceRequest) -> Evidence:
    """Make the evidence for one score in a worker."""
    return explainer.explain(request)


def read_provenance(explainer: Explainer, request: EvidenceRequest) -> Provenance | str:
    """Read the provenance of one file in a worker; return a message where it cannot be read."""
    try:
        return explainer.read_provenance(request)
    except (DeepfakeError, OSError) as error:
        return _message(error)
