"""Media files to scores: faces, logits, tracks, a probability, a verdict."""

from deepfake.scoring.output import plan_scoring, score_batch, score_files, write_scores
from deepfake.scoring.scorer import (
    ScoredMedium,
    Scorer,
    ScorerSetup,
    create_scorer,
    score_row,
    scorer_setup,
    scoring_digest,
)
from deepfake.scoring.tables import (
    FRAMES_SCHEMA,
    SCORES_SCHEMA,
    TRACKS_SCHEMA,
    DetectorIdentity,
    count_statuses,
)

__all__ = [
    "FRAMES_SCHEMA",
    "SCORES_SCHEMA",
    "TRACKS_SCHEMA",
    "DetectorIdentity",
    "ScoredMedium",
    "Scorer",
    "ScorerSetup",
    "count_statuses",
    "create_scorer",
    "plan_scoring",
    "score_batch",
    "score_files",
    "score_row",
    "scorer_setup",
    "scoring_digest",
    "write_scores",
]
