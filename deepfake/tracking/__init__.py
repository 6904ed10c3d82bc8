"""Runs, metrics and the model registry, in MLflow. The only importer of mlflow.

Nothing that was computed depends on it: metrics lie in files first, and a store that does not
answer costs a warning and a later `replay`.
"""

from deepfake.tracking.registry import (
    CHAMPION,
    MODEL_NAME,
    ResolvedModel,
    champion_or_none,
    register_bundle,
    resolve_model_uri,
    set_alias,
)
from deepfake.tracking.runs import (
    BUNDLE_ARTIFACT,
    TrackedRun,
    find_training,
    log_evaluation,
    log_training,
    log_training_or_defer,
    replay,
    tracked_run,
)
from deepfake.tracking.store import check_tracking, make_store, masked, tracking_uri, ui_command
from deepfake.tracking.sweeps import PARENT_TAG, begin_sweep, end_sweep, log_trial

__all__ = [
    "BUNDLE_ARTIFACT",
    "CHAMPION",
    "MODEL_NAME",
    "PARENT_TAG",
    "ResolvedModel",
    "TrackedRun",
    "begin_sweep",
    "champion_or_none",
    "check_tracking",
    "end_sweep",
    "find_training",
    "log_evaluation",
    "log_training",
    "log_training_or_defer",
    "log_trial",
    "make_store",
    "masked",
    "register_bundle",
    "replay",
    "resolve_model_uri",
    "set_alias",
    "tracked_run",
    "tracking_uri",
    "ui_command",
]
