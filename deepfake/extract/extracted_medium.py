"""A file to be extracted, and what was extracted of it; a failure is an outcome too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from deepfake.config import DecoderName
from deepfake.errors import DeepfakeError, MediaError, SoundOnlyError
from deepfake.types import EXPECTED_STATUSES, FaceCrop, Kind, Outcome, Status

__all__ = [
    "SPEECH_STEP_VERSION",
    "STEP_VERSION",
    "SYNC_STEP_VERSION",
    "ExtractRequest",
    "ExtractedMedium",
    "failure_as_outcome",
    "with_seconds",
]

STEP_VERSION = "7"
"""Raised whenever the same file and settings give other crops than before."""

SPEECH_STEP_VERSION = "1"
"""Raised whenever the same file and settings give other windows of speech than before."""

SYNC_STEP_VERSION = "1"
"""Raised whenever the same file and settings give other runs of mouths than before."""

_ResultT = TypeVar("_ResultT")


@dataclass(frozen=True, slots=True)
class ExtractRequest:
    """A file to be extracted.

    Attributes:
        uri: Its path or store URI.
        media_id: SHA-256 of its bytes.
        decoder: Decoder for a video; None for the worker's default.
    """

    uri: str
    media_id: str
    decoder: DecoderName | None = None


@dataclass(frozen=True, slots=True)
class ExtractedMedium:
    """The crops and the outcome of one file.

    Attributes:
        outcome: Its outcome.
        kind: Image or video; None if unknown.
        crops: Ascending in time and track; empty unless the status is `ok`. Their faces are in
            pixels of the frames as they were turned.
        frame_wh: Width and height of those frames, pixels; zeros without frames.
        turned_degrees: Degrees clockwise by which all frames were turned, as they are shown
            without an upright face; 0 where they were not.
        motion: The video behind a still, if there is one and it was asked for.
    """

    outcome: Outcome
    kind: Kind | None = None
    crops: tuple[FaceCrop, ...] = ()
    frame_wh: tuple[int, int] = (0, 0)
    turned_degrees: int = 0
    motion: ExtractedMedium | None = None


def failure_as_outcome(
    request: ExtractRequest,
    extract: Callable[[], _ResultT],
    *,
    wrap: Callable[[Outcome], _ResultT],
) -> _ResultT:
    """Return what is extracted; an error becomes an outcome.

    Args:
        request: The file.
        extract: Extracts it.
        wrap: Makes a result of the outcome of a failure.
    """
    try:
        return extract()
    except MediaError as error:
        return wrap(_failed(request, error.status, error))
    except DeepfakeError as error:
        return wrap(_failed(request, Status.ERROR, error))
    except FileNotFoundError as error:
        return wrap(_failed(request, Status.VANISHED, error))
    except OSError as error:
        return wrap(_failed(request, Status.UNREADABLE, error))
    except MemoryError as error:
        return wrap(_failed(request, Status.OUT_OF_MEMORY, error))


def with_seconds(medium: ExtractedMedium, seconds: float) -> ExtractedMedium:
    """Return the medium with the time that it took, the video behind it with the same."""
    motion = None if medium.motion is None else with_seconds(medium.motion, seconds)
    return replace(medium, outcome=replace(medium.outcome, seconds=seconds), motion=motion)


def _failed(request: ExtractRequest, status: Status, error: Exception) -> Outcome:
    message = error.message if isinstance(error, DeepfakeError) else str(error)
    return Outcome(
        uri=request.uri,
        media_id=request.media_id,
        status=status,
        error_type=None if status in EXPECTED_STATUSES else type(error).__name__,
        message=message or "out of memory",
        details={"kind": str(Kind.AUDIO)} if isinstance(error, SoundOnlyError) else {},
    )
