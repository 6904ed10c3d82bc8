"""Choose what decides on a motion photo: the still, or the video behind it.

A file has one row. The row is that of the one that looks more like a fake, and says what came of
the other one.
"""

from __future__ import annotations

from dataclasses import replace

from deepfake.types import Score, Status, Verdict

__all__ = ["does_motion_decide", "note_other_medium"]


def does_motion_decide(still: Score, motion: Score) -> bool:
    """Return whether the video behind a still looks more like a fake than the still.

    One that is judged a fake comes before one that is not, since the two have thresholds of
    their own; then the more probable one. One without a score never decides against one that
    has one, and where neither has one, the still's row stays.

    Args:
        still: Of the still.
        motion: Of the video.
    """
    return _strength(motion) > _strength(still)


def _strength(score: Score) -> tuple[bool, float]:
    return score.verdict is Verdict.FAKE, -1.0 if score.prob_fake is None else score.prob_fake


def note_other_medium(decides: Score, other: Score, *, is_motion: bool) -> Score:
    """Return the deciding score with a sentence on the other medium.

    Args:
        decides: Of the still or the video, whichever decides.
        other: Of the other one.
        is_motion: Whether the video decides.
    """
    came = "no face" if other.status is Status.NO_FACE else str(other.status)
    if other.prob_fake is not None:
        came = f"{other.verdict}, {other.prob_fake:.1%}"
    elif other.status is not Status.NO_FACE and other.message:
        came = f"{came}, {other.message}"
    note = f"the video behind the picture was looked at too ({came})"
    if is_motion:
        note = f"this is of the video behind the picture; the picture itself: {came}"
    return replace(
        decides,
        message="; ".join(filter(None, (decides.message, note))),
        reason="; ".join(filter(None, (decides.reason, note))),
    )
