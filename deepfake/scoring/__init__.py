"""Media files to scores: faces, logits, tracks, a probability, a verdict."""

from deepfake.scoring.drifting import DriftReport, DriftWatch
from deepfake.scoring.evidence import (
    evidence_setup,
    explain_scores,
    find_unexplained,
    keep_evidence,
    request_of,
)
from deepfake.scoring.forgetting import forget_in_output
from deepfake.scoring.known_media import names_and_contents
from deepfake.scoring.labelling import UncertainMedium, labelling_csv, least_certain
from deepfake.scoring.listing import read_listing, write_listing
from deepfake.scoring.output import (
    Hold,
    ScoresFolder,
    reading_of,
    scores_version,
    write_scores,
)
from deepfake.scoring.parts import Part, find_parts, part_path
from deepfake.scoring.places import note_output, noted_outputs
from deepfake.scoring.receipts import Receipt, make_receipt, read_receipt
from deepfake.scoring.recording import RunRecord, recorded
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
from deepfake.scoring.setups import describe_setup, write_setup
from deepfake.scoring.state import ScoringState, open_state
from deepfake.scoring.status import ScoresStatus, read_status
from deepfake.scoring.tables import (
    FRAMES_SCHEMA,
    SCORES_SCHEMA,
    TRACKS_SCHEMA,
    DetectorIdentity,
    count_statuses,
)
from deepfake.scoring.verifying import Check, verify_receipt
from deepfake.scoring.wording import advice_on, told_reason
from deepfake.scoring.working import (
    BatchAccount,
    Moved,
    ScoreRequest,
    score_batch,
    score_files,
    score_media,
    score_probed,
)

__all__ = [
    "FRAMES_SCHEMA",
    "SCORES_SCHEMA",
    "TRACKS_SCHEMA",
    "BatchAccount",
    "Check",
    "DetectorIdentity",
    "DriftReport",
    "DriftWatch",
    "Hold",
    "Moved",
    "Part",
    "Receipt",
    "RunRecord",
    "ScoreRequest",
    "ScoredMedium",
    "Scorer",
    "ScorerSetup",
    "ScoresFolder",
    "ScoresStatus",
    "ScoringState",
    "UncertainMedium",
    "advice_on",
    "count_statuses",
    "create_scorer",
    "describe_setup",
    "evidence_setup",
    "explain_scores",
    "find_parts",
    "find_unexplained",
    "forget_in_output",
    "keep_evidence",
    "labelling_csv",
    "least_certain",
    "make_receipt",
    "names_and_contents",
    "note_output",
    "noted_outputs",
    "open_state",
    "part_path",
    "read_listing",
    "read_receipt",
    "read_status",
    "reading_of",
    "recorded",
    "request_of",
    "score_batch",
    "score_files",
    "score_media",
    "score_probed",
    "score_row",
    "scorer_setup",
    "scores_version",
    "scoring_digest",
    "setup_columns",
    "told_reason",
    "verify_receipt",
    "write_listing",
    "write_scores",
    "write_setup",
]
