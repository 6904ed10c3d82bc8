"""The evidence for one file's score, made again from the file. Runs inside a media worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import resize_square
from deepfake.errors import DeepfakeError, MediaError
from deepfake.evidence.draw import with_boxes, with_heat
from deepfake.evidence.provenance import Provenance, describe_provenance, read_credentials
from deepfake.evidence.records import CropEvidence, EvidenceRecord, FaceBox, FrameEvidence
from deepfake.evidence.timelines import ExplainRequest, settings_of, timelines
from deepfake.extract.faces import crop_square
from deepfake.media import (
    decode_crop,
    encode_crop,
    encode_shown,
    limit_threads,
    open_video,
    probe_still,
    read_image,
    read_tags,
)
from deepfake.storage import medium_file, sampled_digest_of, sha256_of
from deepfake.types import Face, Frame

__all__ = [
    "STEP_VERSION",
    "Explainer",
    "ExplainerSetup",
    "MadeEvidence",
    "create_explainer",
    "explain_medium",
    "provenance_of",
]

STEP_VERSION = "1"
"""Raised whenever other evidence would be made for the same score."""

_MAX_MEASURED = 4
"""Heat maps that are checked by masking, the strongest: it costs three times what they do."""
_FRAME_PX = 480
_CROP_PX = 192
_RANDOM_MASKS = 4
_SAME_LOGIT = 0.25
"""Between a crop's logit in the score and that of the crop made again: boxes are kept in half the
precision, and processors differ."""


@dataclass(frozen=True, slots=True)
class ExplainerSetup:
    """What a worker is set up with.

    Attributes:
        bundle: The folder of the detector.
        limits: How large a medium may be.
        max_frames: How many whole frames are kept, the strongest.
        max_crops: How many faces of the track that decides are kept, the strongest.
    """

    bundle: Path
    limits: MediaLimits = MediaLimits()  # noqa: RUF009 - frozen
    max_frames: int = 3
    max_crops: int = 4


@dataclass(frozen=True, slots=True)
class MadeEvidence:
    """What a worker made.

    Attributes:
        record: What it says.
        pictures: JPEG by name.
    """

    record: EvidenceRecord
    pictures: dict[str, bytes]


class Explainer:
    """Makes the evidence for one score after another, with one thread.

    Args:
        setup: Which detector, and how large media may be.
    """

    def __init__(self, setup: ExplainerSetup) -> None:
        self.setup = setup
        self.bundle = load_bundle(setup.bundle)
        self._mapper: Any = None
        self._no_map: str | None = None

    def explain(self, request: ExplainRequest) -> MadeEvidence:
        """Return the evidence for a score; what cannot be made is a note in it."""
        record = timelines(request, bundle=self.bundle)
        try:
            with medium_file(request.uri, max_bytes=self.setup.limits.max_bytes) as path:
                _check_content(path, request.media_id)
                return self._with_pictures(record, request, path)
        except (DeepfakeError, OSError, ValueError) as error:
            said = error.message if isinstance(error, DeepfakeError) else str(error)
            note = f"There are no pictures: {said}."
            return MadeEvidence(
                record.model_copy(update={"is_whole": False, "notes": (*record.notes, note)}), {}
            )

    def _with_pictures(
        self, record: EvidenceRecord, request: ExplainRequest, path: Path
    ) -> MadeEvidence:
        ranked = _ranked(request)
        chosen = ranked[: self.setup.max_crops]
        every = dict.fromkeys(int(row["frame_index"]) for row in ranked)
        indices = list(every)[: self.setup.max_frames]
        wanted = sorted({*indices, *(int(row["frame_index"]) for row in chosen)})
        pixels = self._read(path, wanted)
        pictures: dict[str, bytes] = {}
        frames = []
        for number, index in enumerate(index for index in indices if index in pixels):
            frame, picture = _draw(pixels[index], request, name=f"frame-{number}.jpg")
            pictures[frame.picture] = picture
            frames.append(frame)
        there = [row for row in chosen if int(row["frame_index"]) in pixels]
        crops, notes = self._crops(there, pixels, request, pictures)
        if len(pixels) < len(wanted):
            notes.append(f"{len(wanted) - len(pixels)} frames could not be decoded again.")
        told = {"frames": tuple(frames), "crops": crops, "notes": (*record.notes, *notes)}
        return MadeEvidence(record.model_copy(update=told), pictures)

    def _read(self, path: Path, indices: Sequence[int]) -> dict[int, Frame]:
        if probe_still(path, limits=self.setup.limits) is not None:
            return {0: read_image(path, limits=self.setup.limits)}
        with open_video(path, decoder="pyav", limits=self.setup.limits) as reader:
            known = [index for index in indices if index < reader.info.num_frames]
            return {frame.frame_index: frame for frame in reader.read(known)}

    def _crops(
        self,
        rows: Sequence[Mapping[str, Any]],
        pixels: Mapping[int, Frame],
        request: ExplainRequest,
        pictures: dict[str, bytes],
    ) -> tuple[tuple[CropEvidence, ...], list[str]]:
        """Return the crops as the network saw them; their pictures are put into `pictures`."""
        config = self.bundle.spec.crop
        squares = []
        for row in rows:
            frame = pixels[int(row["frame_index"])]
            square = crop_square(
                frame.pixels, _face_of(row), size=config.size, margin=config.margin
            )
            # What was scored went through its codec.
            squares.append(decode_crop(encode_crop(square, config=config)))
        kept = []
        for number, (row, square) in enumerate(zip(rows, squares, strict=True)):
            name = f"crop-{number}.jpg"
            pictures[name] = encode_shown(_resized(square))
            kept.append(
                CropEvidence(
                    picture=name,
                    track_id=int(row["track_id"]),
                    frame_index=int(row["frame_index"]),
                    pts_seconds=float(row["pts_seconds"]),
                    prob_fake=float(row["prob_fake"]),
                )
            )
        if not squares:
            return (), []
        try:
            return self._heated(kept, rows, squares, request, pictures)
        except DeepfakeError as error:
            return tuple(kept), [f"There is no heat map: {error.message}."]

    def _heated(
        self,
        kept: Sequence[CropEvidence],
        rows: Sequence[Mapping[str, Any]],
        squares: Sequence[NDArray[np.uint8]],
        request: ExplainRequest,
        pictures: dict[str, bytes],
    ) -> tuple[tuple[CropEvidence, ...], list[str]]:
        from deepfake.evidence.heat_maps import HeatMapper, measure_moves

        if self._mapper is None:
            self._mapper = HeatMapper(self.bundle)
        calibration, _ = settings_of(self.bundle, request.score)
        inputs = self._mapper.squares(squares)
        heated = []
        is_same = True
        for number, crop in enumerate(kept):
            (heat,) = self._mapper.maps(inputs[number : number + 1], calibration=calibration)
            scored = calibration.log_odds(float(rows[number]["logit"]))
            is_same = is_same and abs(heat.log_odds - scored) <= _SAME_LOGIT
            name = f"heat-{number}.jpg"
            pictures[name] = encode_shown(with_heat(_resized(squares[number]), heat.values))
            told: dict[str, Any] = {"heat_picture": name}
            if number < _MAX_MEASURED:
                told["moved_by_hottest"], told["moved_by_random"] = measure_moves(
                    self._mapper, inputs[number], heat, calibration=calibration, draws=_RANDOM_MASKS
                )
            heated.append(crop.model_copy(update=told))
        notes = [] if is_same else ["The faces cut out again do not have quite the scores kept."]
        return tuple(heated), notes

    def provenance(self, request: ExplainRequest) -> Provenance:
        """Return what a file says of its own making.

        Raises:
            DeepfakeError: It cannot be read, or is no longer what was scored.
        """
        limits = self.setup.limits
        with medium_file(request.uri, max_bytes=limits.max_bytes) as path:
            _check_content(path, request.media_id)
            note = None
            try:
                tags = read_tags(path, limits=limits)
            except MediaError as error:
                tags, note = {}, f"Its metadata cannot be read: {error.message}."
            credentials = read_credentials(path, container=_container(path, limits=limits))
            return describe_provenance(credentials, tags=tags, note=note)


def _container(path: Path, *, limits: MediaLimits) -> str:
    still = probe_still(path, limits=limits)
    if still is not None:
        return still.container
    with open_video(path, decoder="pyav", limits=limits) as reader:
        return reader.info.container


def _ranked(request: ExplainRequest) -> list[Mapping[str, Any]]:
    """Return the faces of the track that decides, the strongest first."""
    own = [r for r in request.frames if r["track_id"] == request.score.get("strongest_track_id")]
    rows = own or list(request.frames)
    return sorted(rows, key=lambda row: (-float(row["logit"]), int(row["frame_index"])))


def _draw(frame: Frame, request: ExplainRequest, *, name: str) -> tuple[FrameEvidence, bytes]:
    rows = [row for row in request.frames if int(row["frame_index"]) == frame.frame_index]
    boxes = [_box_of(row) for row in rows]
    drawn = with_boxes(
        frame.pixels,
        boxes,
        labels=[f"face {row['track_id']}: {float(row['prob_fake']):.0%}" for row in rows],
        width=_FRAME_PX,
    )
    faces = tuple(
        FaceBox(
            track_id=int(row["track_id"]),
            box_xyxy=(
                box[0] / frame.width,
                box[1] / frame.height,
                box[2] / frame.width,
                box[3] / frame.height,
            ),
            prob_fake=float(row["prob_fake"]),
        )
        for row, box in zip(rows, boxes, strict=True)
    )
    told = FrameEvidence(
        picture=name, frame_index=frame.frame_index, pts_seconds=frame.pts_seconds, faces=faces
    )
    return told, encode_shown(drawn)


def _box_of(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(value) for value in row["bbox_xyxy"])
    return left, top, right, bottom


def _face_of(row: Mapping[str, Any]) -> Face:
    box = _box_of(row)
    # Where eyes and mouth are is not kept with the score, and the square does not ask.
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return Face(box, (center,) * 5, min(1.0, max(0.0, float(row["confidence"]))))


def _resized(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return resize_square(square, size=_CROP_PX)


def _check_content(path: Path, media_id: str) -> None:
    if media_id not in (sha256_of(path), sampled_digest_of(path)):
        raise MediaError("it is no longer the file that was scored", path=path)


def create_explainer(setup: ExplainerSetup) -> Explainer:
    """Set up a worker: one thread for each library, quiet decoders."""
    limit_threads()
    return Explainer(setup)


def explain_medium(explainer: Explainer, request: ExplainRequest) -> MadeEvidence:
    """Make the evidence for one score in a worker."""
    return explainer.explain(request)


def provenance_of(explainer: Explainer, request: ExplainRequest) -> Provenance | str:
    """Read what one file says of its making, in a worker; why it cannot, as a sentence."""
    try:
        return explainer.provenance(request)
    except (DeepfakeError, OSError) as error:
        return error.message if isinstance(error, DeepfakeError) else str(error)
