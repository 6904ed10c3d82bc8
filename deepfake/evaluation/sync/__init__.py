"""Measure a detector of lips against sound on the files of a corpus."""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evaluation.sync.evaluate import SyncEvaluation, evaluate_sync
    from deepfake.evaluation.sync.output import sync_metrics, write_sync_evaluation
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = ["SyncEvaluation", "evaluate_sync", "sync_metrics", "write_sync_evaluation"]
