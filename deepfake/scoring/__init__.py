"""Media files to scores: faces, logits, tracks, a probability, a verdict."""

from deepfake.scoring.listing import read_listing, write_listing
from deepfake.scoring.output import Hold, ScoresFolder, scores_version, write_scores
from deepfake.scoring.parts import Part, find_parts, part_path
from deepfake.scoring.scorer import (
    ScoredMedium,
    Scorer,
    ScorerSetup,
    create_scorer,
    score_row,
    scorer_setup,
    scoring_digest,
    setup_columns,
)
from deepfake.scoring.state import ScoringState, open_state
from deepfake.scoring.tables import (
    FRAMES_SCHEMA,
    SCORES_SCHEMA,
    TRACKS_SCHEMA,
    DetectorIdentity,
    count_statuses,
)
from deepfake.scoring.working import Moved, ScoreRequest, score_batch, score_files

__all__ = [
    "FRAMES_SCHEMA",
    "SCORES_SCHEMA",
    "TRACKS_SCHEMA",
    "DetectorIdentity",
    "Hold",
    "Moved",
    "Part",
    "ScoreRequest",
    "ScoredMedium",
    "Scorer",
    "ScorerSetup",
    "ScoresFolder",
    "ScoringState",
    "count_statuses",
    "create_scorer",
    "find_parts",
    "open_state",
    "part_path",
    "read_listing",
    "score_batch",
    "score_files",
    "score_row",
    "scorer_setup",
    "scores_version",
    "scoring_digest",
    "setup_columns",
    "write_listing",
    "write_scores",
]
