"""Face crops as evidence: each as the network saw it, and its heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deepfake.detectors.bundles import Bundle
from deepfake.detectors.inference import resize_square
from deepfake.errors import DeepfakeError
from deepfake.evidence.frames import bbox_of
from deepfake.evidence.pictures import draw_heat_map
from deepfake.evidence.records import CropEvidence
from deepfake.evidence.request import EvidenceRequest
from deepfake.evidence.timelines import calibration_of
from deepfake.extract.faces import crop_face, turn_box, turn_frame
from deepfake.media import decode_crop, encode_crop, encode_shown
from deepfake.types import Face, Frame, Pixels

if TYPE_CHECKING:
    from deepfake.evidence.heat_maps import HeatMapper

__all__ = ["CropExplainer", "ExplainedCrops"]

_SIZE_PX = 192
_MAX_MEASURED = 4
"""Heat maps checked by masking, the strongest crops first: a check costs three times a map."""
_RANDOM_MASKS = 4
_LOGIT_TOLERANCE = 0.25
"""Between the logit in the score and that of the crop made again: boxes are stored in half
precision, and processors differ."""


@dataclass(frozen=True, slots=True)
class ExplainedCrops:
    """The crops of one file as evidence.

    Attributes:
        crops: One for each row asked for.
        pictures: JPEG by name.
        notes: What a reader must know, a sentence each.
    """

    crops: tuple[CropEvidence, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class CropExplainer:
    """Makes crops and heat maps for one file after another.

    Args:
        bundle: The detector.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._mapper: HeatMapper | None = None

    def explain(
        self,
        request: EvidenceRequest,
        rows: Sequence[Mapping[str, Any]],
        frames: Mapping[int, Frame],
    ) -> ExplainedCrops:
        """Return the crops of some faces as evidence, with heat maps where they can be made.

        Args:
            request: The score.
            rows: Rows of the faces in `frames.parquet`.
            frames: The decoded frames, by their index.
        """
        squares = [self._crop(row, frames[int(row["frame_index"])]) for row in rows]
        crops = [_crop_evidence(row, number) for number, row in enumerate(rows)]
        pictures = {
            crop.picture: encode_shown(_resized(square))
            for crop, square in zip(crops, squares, strict=True)
        }
        if not crops:
            return ExplainedCrops()
        try:
            mapped = self._add_heat_maps(crops, rows, squares, request)
        except DeepfakeError as error:
            note = f"There is no heat map: {error.message}."
            return ExplainedCrops(tuple(crops), pictures, (note,))
        return ExplainedCrops(mapped.crops, {**pictures, **mapped.pictures}, mapped.notes)

    def _crop(self, row: Mapping[str, Any], frame: Frame) -> Pixels:
        config = self._bundle.spec.crop
        turn = int(row.get("turned_degrees") or 0)  # tables of earlier versions lack it
        face = _face_of(row, turn=turn, width=frame.width, height=frame.height)
        square = crop_face(turn_frame(frame, turn).pixels, face, config=config).pixels
        # Through its codec, as the crop that was scored.
        return decode_crop(encode_crop(square, config=config))

    def _add_heat_maps(
        self,
        crops: Sequence[CropEvidence],
        rows: Sequence[Mapping[str, Any]],
        squares: Sequence[Pixels],
        request: EvidenceRequest,
    ) -> ExplainedCrops:
        """Return the crops with heat maps, and the pictures of the maps alone."""
        from deepfake.evidence.heat_maps import HeatMapper, measure_moves

        if self._mapper is None:
            self._mapper = HeatMapper(self._bundle)
        calibration, _ = calibration_of(self._bundle, request.score)
        inputs = self._mapper.squares(squares)
        mapped, pictures = [], {}
        is_same_score = True
        for number, crop in enumerate(crops):
            (heat,) = self._mapper.maps(inputs[number : number + 1], calibration=calibration)
            scored = calibration.log_odds(float(rows[number]["logit"]))
            is_same_score = is_same_score and abs(heat.log_odds - scored) <= _LOGIT_TOLERANCE
            name = f"heat-{number}.jpg"
            pictures[name] = encode_shown(draw_heat_map(_resized(squares[number]), heat.values))
            update: dict[str, Any] = {"heat_picture": name}
            if number < _MAX_MEASURED:
                update["moved_by_hottest"], update["moved_by_random"] = measure_moves(
                    self._mapper, inputs[number], heat, calibration=calibration, draws=_RANDOM_MASKS
                )
            mapped.append(crop.model_copy(update=update))
        note = "The crops made again do not have quite the same scores as the stored ones."
        return ExplainedCrops(tuple(mapped), pictures, () if is_same_score else (note,))


def _crop_evidence(row: Mapping[str, Any], number: int) -> CropEvidence:
    return CropEvidence(
        picture=f"crop-{number}.jpg",
        track_id=int(row["track_id"]),
        frame_index=int(row["frame_index"]),
        pts_seconds=float(row["pts_seconds"]),
        prob_fake=float(row["prob_fake"]),
    )


def _face_of(row: Mapping[str, Any], *, turn: int, width: int, height: int) -> Face:
    """Return the face in pixels of the frame as it was turned."""
    box = turn_box(bbox_of(row), turn, width=width, height=height)
    # Landmarks are not stored with the score, and the square does not depend on them.
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return Face(box, (center,) * 5, min(1.0, max(0.0, float(row["confidence"]))))


def _resized(square: Pixels) -> Pixels:
    return resize_square(square, size=_SIZE_PX)
