"""What the row of a file says of its extraction."""

from __future__ import annotations

from deepfake.types import Kind, MediaInfo, Status

__all__ = ["outcome_of", "truncation_message", "turn_message", "with_small_faces"]


def outcome_of(*, wanted: int, read: int, num_faces: int) -> tuple[Status, str | None]:
    """Return the status of a medium, and a sentence where there is something to say.

    Args:
        wanted: Frames asked for.
        read: Frames decoded.
        num_faces: Faces found in them.
    """
    if wanted == 0:
        return Status.EMPTY, "the video has no frames"
    if 2 * read < wanted:
        return Status.DECODE_ERROR, f"only {read} of {wanted} frames could be decoded"
    if num_faces == 0:
        return Status.NO_FACE, f"no face was found in {read} {'frame' if read == 1 else 'frames'}"
    if read < wanted:
        return Status.OK, f"{read} of {wanted} frames could be decoded"
    return Status.OK, None


def with_small_faces(message: str | None, num_small: int) -> str:
    """Return the sentence with one on faces that are too small."""
    faces = "a face was" if num_small == 1 else f"{num_small} faces were"
    small = f"{faces} seen that {'is' if num_small == 1 else 'are'} too small to be judged"
    return small if message is None else f"{message}; {small}"


def truncation_message(info: MediaInfo) -> str:
    """Return the sentence on a video that is cut short, or a still of too many pages."""
    if info.kind is Kind.IMAGE:
        return f"only the first of its {info.num_frames} pages were looked at"
    declared = info.duration_seconds_from_header or 0.0
    return f"holds {info.duration_seconds:.1f} s of the {declared:.1f} s that its header declares"


def turn_message(degrees: int) -> str:
    """Return the sentence on frames that were turned before faces were looked for."""
    return f"turned clockwise by {degrees} degrees, as no upright face was found as it is shown"
