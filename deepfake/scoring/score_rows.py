"""Build the `Score` of a file that failed, fields that all of a run share, and rows for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.types import Kind, Outcome, Score, SyncVerdict, Verdict

__all__ = ["ScoreOrigin", "failed_score", "json_row", "outcome_fields", "refused_score"]


@dataclass(frozen=True, slots=True)
class ScoreOrigin:
    """What all scores of a run were made with: fields of each `Score`.

    Attributes:
        model_name: The registry's or the bundle's name.
        model_version: The registry's version; None for a bundle from disk.
        model_digest: Of the detector's description and weights.
        config_digest: Of all settings that can change a score.
        prior: Share of fakes that `prob_fake` holds for.
        voice_model_name: Of the voice's detector; None where voices are left out, as below.
        voice_model_version: The registry's version; None for a bundle from disk.
        voice_model_digest: Of that detector's description and weights.
        sync_model_name: Of the detector of lips and sound; None where they are left out, as below.
        sync_model_version: The registry's version; None for a bundle from disk.
        sync_model_digest: Of that detector's description and weights.
    """

    model_name: str
    model_version: str | None
    model_digest: str
    config_digest: str
    prior: float
    voice_model_name: str | None = None
    voice_model_version: str | None = None
    voice_model_digest: str | None = None
    sync_model_name: str | None = None
    sync_model_version: str | None = None
    sync_model_digest: str | None = None


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of a score that extraction fills in, whatever came of the file."""
    return {
        "uri": outcome.uri,
        "media_id": outcome.media_id,
        "status": outcome.status,
        "is_partial": outcome.is_partial,
        "frames_wanted": outcome.frames_wanted,
        "frames_read": outcome.frames_read,
        "error_type": outcome.error_type,
        "message": outcome.message,
        "seconds": outcome.seconds,
    }


def failed_score(outcome: Outcome, origin: ScoreOrigin) -> Score:
    """Return the score of a file that was looked at and has none: no number means "unknown".

    Args:
        outcome: Why there is none; its status is not `ok`.
        origin: Of the run.
    """
    kind = outcome.details.get("kind")
    reason = outcome.message or str(outcome.status)
    has_voice = origin.voice_model_name is not None
    has_sync = origin.sync_model_name is not None
    return Score(
        **outcome_fields(outcome),
        **asdict(origin),
        kind=None if kind is None else Kind(kind),
        verdict=Verdict.NOT_APPLICABLE,
        reason=reason,
        num_faces=outcome.num_faces,
        # Whoever finds a voice in it all the same replaces these.
        verdict_voice=Verdict.NOT_APPLICABLE if has_voice else None,
        reason_voice=reason if has_voice else None,
        verdict_sync=SyncVerdict.NOT_APPLICABLE if has_sync else None,
        reason_sync=reason if has_sync else None,
        verdict_file=Verdict.NOT_APPLICABLE,
        reason_file=reason,
    )


def refused_score(row: ManifestRow, origin: ScoreOrigin) -> Score:
    """Return the score of a file that was never decoded, since listing or probing refused it.

    Args:
        row: What they found; its status is not `ok`.
        origin: Of the run.
    """
    outcome = Outcome(
        uri=row.uri,
        media_id=row.media_id,
        status=row.status,
        error_type=row.error_type,
        message=row.message,
        details={"kind": row.kind},
    )
    return failed_score(outcome, origin)


def json_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of scores as JSON can hold it: it has no NaN, and what is not known is null.

    Example:
        >>> json_row({"uri": "a.png", "logit": float("nan")})
        {'uri': 'a.png', 'logit': None}
    """
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
