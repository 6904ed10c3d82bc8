"""Score media files: faces, logits, tracks, a probability, a verdict.

`run/score_folder.py` follows a folder from its listing to the tables.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.scoring.batch import (
        BatchTotals,
        ChangedFile,
        ScoreBatch,
        ScoredBatch,
        ScoreRequest,
        create_score_batch,
        score_batch,
    )
    from deepfake.scoring.batch_runner import BatchRunner, ProbeBatch, ProbedBatch
    from deepfake.scoring.drift.watch import DriftResult, DriftWatch
    from deepfake.scoring.label_selection import UncertainMedium, labelling_csv, least_certain
    from deepfake.scoring.output.folder import (
        FolderLock,
        ScoresFolder,
        describe_for_report,
        scores_version,
        write_scores,
    )
    from deepfake.scoring.output.known_outputs import list_outputs, remember_output
    from deepfake.scoring.output.listing import read_listing, write_listing
    from deepfake.scoring.parts import Part, find_parts, part_path
    from deepfake.scoring.reason_text import advice_on, describe_reason
    from deepfake.scoring.receipts.receipt import Receipt, make_receipt, read_receipt
    from deepfake.scoring.receipts.verify import ReceiptCheck, verify_receipt
    from deepfake.scoring.run.from_options import (
        FolderScoring,
        choose_file_rule,
        choose_sync_detector,
        choose_voice_detector,
        resolve_scoring,
    )
    from deepfake.scoring.run.record import RunRecord, record_run
    from deepfake.scoring.run.score_folder import FolderOptions, FolderSummary, score_folder
    from deepfake.scoring.run.status import ScoresStatus, read_status
    from deepfake.scoring.run.unchanged import RejectingRunner, UnexpectedWorkError
    from deepfake.scoring.schemas import FRAMES_SCHEMA, SCORES_SCHEMA, TRACKS_SCHEMA
    from deepfake.scoring.score_job import ScoreJob, create_score_job, share_detector
    from deepfake.scoring.score_rows import ScoreOrigin, failed_score, json_row, refused_score
    from deepfake.scoring.score_without_output import score_files, score_media, score_probed
    from deepfake.scoring.scorer import Scorer
    from deepfake.scoring.scorer_settings import (
        ScoredMedium,
        ScorerSetup,
        create_scorer,
        score_origin,
        scorer_setup,
        scoring_digest,
    )
    from deepfake.scoring.setups import describe_setup, write_setup
    from deepfake.scoring.state.state import ScoringState, open_state
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "FRAMES_SCHEMA",
    "SCORES_SCHEMA",
    "TRACKS_SCHEMA",
    "BatchRunner",
    "BatchTotals",
    "ChangedFile",
    "DriftResult",
    "DriftWatch",
    "FolderLock",
    "FolderOptions",
    "FolderScoring",
    "FolderSummary",
    "Part",
    "ProbeBatch",
    "ProbedBatch",
    "Receipt",
    "ReceiptCheck",
    "RejectingRunner",
    "RunRecord",
    "ScoreBatch",
    "ScoreJob",
    "ScoreOrigin",
    "ScoreRequest",
    "ScoredBatch",
    "ScoredMedium",
    "Scorer",
    "ScorerSetup",
    "ScoresFolder",
    "ScoresStatus",
    "ScoringState",
    "UncertainMedium",
    "UnexpectedWorkError",
    "advice_on",
    "choose_file_rule",
    "choose_sync_detector",
    "choose_voice_detector",
    "create_score_batch",
    "create_score_job",
    "create_scorer",
    "describe_for_report",
    "describe_reason",
    "describe_setup",
    "failed_score",
    "find_parts",
    "json_row",
    "labelling_csv",
    "least_certain",
    "list_outputs",
    "make_receipt",
    "open_state",
    "part_path",
    "read_listing",
    "read_receipt",
    "read_status",
    "record_run",
    "refused_score",
    "remember_output",
    "resolve_scoring",
    "score_batch",
    "score_files",
    "score_folder",
    "score_media",
    "score_origin",
    "score_probed",
    "scorer_setup",
    "scores_version",
    "scoring_digest",
    "share_detector",
    "verify_receipt",
    "write_listing",
    "write_scores",
    "write_setup",
]
