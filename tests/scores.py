"""Scores as a worker would return them, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from deepfake.types import Score, Status, Verdict

__all__ = ["make_score"]


def make_score(uri: str, media_id: str | None = None, **fields: Any) -> Score:
    """Return a score of a file; whatever is not named is made up.

    Args:
        uri: The file.
        media_id: Of its content; None for its name.
        fields: Of `Score`. Without a status it is `ok` and has a probability.
    """
    status = Status(fields.pop("status", Status.OK))
    is_ok = status is Status.OK
    made_up: dict[str, Any] = {
        "verdict": Verdict.REAL if is_ok else Verdict.NOT_APPLICABLE,
        "prob_fake": 0.25 if is_ok else None,
        "model_name": "tried",
        "model_digest": "0" * 16,
        "config_digest": "0" * 16,
        "prior": 0.5,
    }
    return Score(uri=uri, media_id=media_id or uri, status=status, **{**made_up, **fields})
