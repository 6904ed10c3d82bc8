"""Frozen dataclasses and enums that the stages exchange.

`MediaInfo -> Frame -> Face -> FaceTrack -> FaceCrop -> Score`, and `StoredWindow` beside `FaceCrop`
for speech, each frozen and validated once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "EXPECTED_STATUSES",
    "PICTURE_KINDS",
    "TRANSIENT_STATUSES",
    "Face",
    "FaceCrop",
    "FaceTrack",
    "FloatArray",
    "Frame",
    "Kind",
    "Label",
    "MediaInfo",
    "Outcome",
    "Pixels",
    "Score",
    "Split",
    "Status",
    "StoredWindow",
    "Verdict",
]


# As texts: NumPy is not imported by what only needs the rest.
FloatArray: TypeAlias = "NDArray[np.float64]"

Pixels: TypeAlias = "NDArray[np.uint8]"
"""A picture, or several."""


class Kind(StrEnum):
    """Whether a file is a picture, a video, or sound alone."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


PICTURE_KINDS = (Kind.IMAGE, Kind.VIDEO)
"""Kinds of files in which faces are looked for."""


class Label(StrEnum):
    """The ground truth of a file; unknown is None, never a third member."""

    REAL = "real"
    FAKE = "fake"


class Split(StrEnum):
    """The split of a corpus that a group of media belongs to."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Status(StrEnum):
    """The outcome of processing a file; every file has exactly one."""

    OK = "ok"
    NO_FACE = "no_face"
    NO_PICTURE = "no_picture"
    NO_SPEECH = "no_speech"
    EMPTY = "empty"
    UNSUPPORTED = "unsupported"
    DECODE_ERROR = "decode_error"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    VANISHED = "vanished"
    ERROR = "error"


EXPECTED_STATUSES = frozenset(
    {Status.OK, Status.NO_FACE, Status.NO_PICTURE, Status.NO_SPEECH, Status.MISSING}
)
"""Statuses that leave the exit code at 0."""

TRANSIENT_STATUSES = frozenset(
    {Status.TIMEOUT, Status.CRASHED, Status.OUT_OF_MEMORY, Status.VANISHED, Status.ERROR}
)
"""Statuses that may change in another run or with wider limits."""


class Verdict(StrEnum):
    """The verdict on a file, for people."""

    REAL = "real"
    FAKE = "fake"
    UNCERTAIN = "uncertain"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Description of a medium, from probing.

    Attributes:
        kind: Image, video or audio.
        codec: Name of the picture codec, `png` or `h264`; of the sound's codec for audio.
        container: Name of the container format.
        width: Width as shown, after rotation, pixels; None for audio.
        height: Height as shown, after rotation, pixels; None for audio.
        rotation: Degrees clockwise by which the stored picture is turned for display.
        fps: Average frames a second; None for images, or if unknown.
        num_frames: Frames counted in the stream; 1 for an image, 0 for audio.
        duration_seconds: From the start of the first frame to the end of the last, measured.
        duration_seconds_from_header: Duration declared by the container, None if it declares none.
        has_audio: Whether there is a sound stream.
    """

    kind: Kind
    codec: str
    container: str
    width: int | None
    height: int | None
    rotation: int = 0
    fps: Fraction | None = None
    num_frames: int = 1
    duration_seconds: float = 0.0
    duration_seconds_from_header: float | None = None
    has_audio: bool = False

    def __post_init__(self) -> None:
        has_size = self.width is not None and self.height is not None
        if has_size is (self.kind is Kind.AUDIO):
            raise ValueError(f"a size is for pictures, got {self.width}x{self.height}")
        if has_size and min(self.frame_wh) <= 0:
            raise ValueError(f"width and height must be positive, got {self.width}x{self.height}")
        if self.num_frames < 0 or self.duration_seconds < 0:
            raise ValueError("num_frames and duration_seconds must not be negative")

    @property
    def frame_wh(self) -> tuple[int, int]:
        """Width and height of its frames, pixels.

        Raises:
            ValueError: It is sound alone.
        """
        if self.width is None or self.height is None:
            raise ValueError("sound has no frames")
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame of a video, or a picture, with its time.

    Attributes:
        pixels: RGB, shape (H, W, 3), uint8, rotated upright.
        pts_seconds: Presentation time, seconds after the first frame; 0.0 for an image.
        frame_index: Rank by presentation time, from 0.
    """

    pixels: NDArray[np.uint8]
    pts_seconds: float
    frame_index: int

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != "uint8":
            raise ValueError(
                f"a frame is (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}"
            )

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame, in the frame's own pixels.

    Attributes:
        bbox_xyxy: Left, top, right, bottom; may exceed the frame.
        landmarks: Five (x, y): eyes (the left one in the picture first), nose, mouth corners.
        confidence: Of the face detector, 0 to 1.
    """

    bbox_xyxy: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    confidence: float

    def __post_init__(self) -> None:
        left, top, right, bottom = self.bbox_xyxy
        if not (right > left and bottom > top):
            raise ValueError(f"a box needs a positive area, got {self.bbox_xyxy}")
        if len(self.landmarks) != 5:
            raise ValueError(f"a face has five landmarks, got {len(self.landmarks)}")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must lie in 0..1, got {self.confidence}")

    @property
    def size_px(self) -> float:
        """The longer side of the box, pixels."""
        left, top, right, bottom = self.bbox_xyxy
        return max(right - left, bottom - top)

    @property
    def center_xy(self) -> tuple[float, float]:
        """Centre of the box."""
        left, top, right, bottom = self.bbox_xyxy
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One person followed through the sampled frames of one shot.

    Attributes:
        track_id: From 0, in the order of first appearance.
        faces: The faces, ascending in time.
        frame_indices: The frame of each face.
        pts_seconds: The time of each face.
    """

    track_id: int
    faces: tuple[Face, ...]
    frame_indices: tuple[int, ...]
    pts_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.faces) == len(self.frame_indices) == len(self.pts_seconds):
            raise ValueError("faces, frame_indices and pts_seconds must be of one length")


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """The square around a face, encoded as it is stored.

    Attributes:
        encoded: JPEG or PNG bytes.
        face: The face in its frame.
        track_id: The track it belongs to.
        pts_seconds: Time of its frame.
        frame_index: Rank of its frame.
        sharpness: Variance of the Laplacian of the face's luminance at a fixed size.
        brightness: Mean luminance of the face, 0 to 255.
    """

    encoded: bytes
    face: Face
    track_id: int
    pts_seconds: float
    frame_index: int
    sharpness: float
    brightness: float


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """A window of speech, encoded as it is stored.

    Attributes:
        encoded: FLAC.
        pts_seconds: Where it begins in the file, seconds.
        end_seconds: Where it ends; later than its length says where a pause was cut out.
        speech_seconds: Of it; less than it is long where speech was repeated to fill it.
        loudness_dbfs: Effective value, decibels of full scale.
        bandwidth_hz: The highest frequency with notable power.
    """

    encoded: bytes
    pts_seconds: float
    end_seconds: float
    speech_seconds: float
    loudness_dbfs: float
    bandwidth_hz: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one step for one file; every file gets one.

    Attributes:
        uri: Absolute path or store URI of the file.
        media_id: SHA-256 of its bytes; None where they cannot be read.
        status: See `Status`.
        error_type: Name of the error class, None without an error.
        message: One sentence for a person, None if there is nothing to say.
        is_partial: Whether fewer frames were read than requested, or the video is cut off.
        frames_wanted: Frames requested.
        frames_read: Frames decoded.
        num_faces: Faces kept, over all frames.
        num_windows: Windows of speech kept.
        speech_seconds: Speech found in its sound.
        seconds: Wall time.
        details: Further columns from probing, by name.
    """

    uri: str
    media_id: str | None
    status: Status
    error_type: str | None = None
    message: str | None = None
    is_partial: bool = False
    frames_wanted: int | None = None
    frames_read: int | None = None
    num_faces: int | None = None
    num_windows: int | None = None
    speech_seconds: float | None = None
    seconds: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of one file, or why it has none; a row of the scores table.

    Attributes:
        uri: The file.
        media_id: SHA-256 of its bytes; None where they cannot be read.
        kind: What it was looked at as; None where that is unknown.
        status: See `Status`.
        verdict: What a person reads; `not_applicable` without a score.
        reason: Why the verdict is what it is, or why there is none.
        prob_fake: How probable a fake is; there if and only if the status is `ok`.
        logit: What the probability is made from.
        likelihood_ratio: How many times more probable the score is for a fake than for a real file;
            None where the detector does not support any.
        likelihood_ratio_min: The least that the detector states; None as above.
        likelihood_ratio_max: The most that it states.
        num_faces: Faces found, over all frames.
        num_tracks: People followed.
        num_frames: Frames that show a face.
        strongest_track_id: The track that decides.
        strongest_pts_seconds: The moment of its strongest frame.
        turned_degrees: Degrees clockwise by which the picture was turned, as no upright face was
            found in it as it is shown; 0 where it was not turned, None without a face.
        is_partial: Whether fewer frames were read than were asked for.
        frames_wanted: Frames asked for.
        frames_read: Frames decoded.
        error_type: Name of the error class, None if there was none.
        message: One sentence for a person, None if there is nothing to say.
        model_name: Name of the detector.
        model_version: The registry's version; None for a bundle from disk.
        model_digest: Of the detector's description and weights.
        config_digest: Of all settings that can change a score.
        prior: Share of fakes that `prob_fake` and `prob_fake_voice` hold for.
        seconds: Wall time of reading, decoding, finding and cropping faces.
        verdict_voice: What a person reads of its voice; `not_applicable` without a score, None
            where nobody asked.
        reason_voice: Why that verdict is what it is, or why there is no score.
        prob_fake_voice: How probable spoofed speech is; None without a score.
        logit_voice: What that probability is made from.
        likelihood_ratio_voice: As `likelihood_ratio`, of the voice.
        likelihood_ratio_voice_min: The least that the voice's detector states.
        likelihood_ratio_voice_max: The most that it states.
        novelty_voice: Distance of the voice from those learnt from.
        speech_seconds: Speech found in its sound.
        num_windows: Windows of speech that were judged.
        strongest_voice_pts_seconds: Where the window begins that looks most like a fake.
        strongest_voice_end_seconds: Where it ends.
        voice_model_name: Name of the voice's detector.
        voice_model_version: The registry's version; None for a bundle from disk.
        voice_model_digest: Of that detector's description and weights.

    Raises:
        ValueError: A probability without the status `ok`, or that status without one; a
            probability of the voice without a verdict on it.
    """

    uri: str
    media_id: str | None
    kind: Kind | None = None
    status: Status
    verdict: Verdict
    reason: str | None = None
    prob_fake: float | None = None
    logit: float | None = None
    likelihood_ratio: float | None = None
    likelihood_ratio_min: float | None = None
    likelihood_ratio_max: float | None = None
    num_faces: int | None = None
    num_tracks: int | None = None
    num_frames: int | None = None
    strongest_track_id: int | None = None
    strongest_pts_seconds: float | None = None
    turned_degrees: int | None = None
    is_partial: bool = False
    frames_wanted: int | None = None
    frames_read: int | None = None
    error_type: str | None = None
    message: str | None = None
    model_name: str
    model_version: str | None = None
    model_digest: str
    config_digest: str
    prior: float
    seconds: float | None = None
    verdict_voice: Verdict | None = None
    reason_voice: str | None = None
    prob_fake_voice: float | None = None
    logit_voice: float | None = None
    likelihood_ratio_voice: float | None = None
    likelihood_ratio_voice_min: float | None = None
    likelihood_ratio_voice_max: float | None = None
    novelty_voice: float | None = None
    speech_seconds: float | None = None
    num_windows: int | None = None
    strongest_voice_pts_seconds: float | None = None
    strongest_voice_end_seconds: float | None = None
    voice_model_name: str | None = None
    voice_model_version: str | None = None
    voice_model_digest: str | None = None

    def __post_init__(self) -> None:
        if (self.prob_fake is not None) != (self.status is Status.OK):
            raise ValueError(f"prob_fake is {self.prob_fake} and the status {self.status}")
        if self.prob_fake is not None and not 0.0 <= self.prob_fake <= 1.0:
            raise ValueError(f"prob_fake must lie in 0..1, got {self.prob_fake}")
        is_judged = self.verdict_voice not in (None, Verdict.NOT_APPLICABLE)
        if (self.prob_fake_voice is not None) != is_judged:
            raise ValueError(
                f"prob_fake_voice is {self.prob_fake_voice} and the verdict {self.verdict_voice}"
            )

    def as_row(self) -> dict[str, Any]:
        """Return the columns of the scores table, in their order and in JSON types."""
        values = {own.name: getattr(self, own.name) for own in fields(self)}
        return {k: str(v) if isinstance(v, StrEnum) else v for k, v in values.items()}
