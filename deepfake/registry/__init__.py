"""MLflow: training runs, their metrics, and the registry of detectors. The only importer of mlflow.

No result depends on it: metrics are written to files first. A store that does not answer costs a
warning; `replay` writes the run later.
"""

from deepfake.registry.champion_history import Promotion
from deepfake.registry.champions import (
    CHALLENGER,
    RegisteredVersion,
    champion_history,
    ensure_first_champion,
    list_versions,
    promote,
    register_once,
    roll_back,
    rolled_back,
)
from deepfake.registry.deferred_logging import PENDING, log_training_or_defer, replay, replay_all
from deepfake.registry.log_runs import (
    BUNDLE_ARTIFACT,
    PARENT_TAG,
    find_run,
    find_training,
    log_bundle,
    log_decision,
    log_evaluation,
    log_training,
    metrics_of_run,
)
from deepfake.registry.log_sweeps import begin_sweep, end_sweep, log_trial
from deepfake.registry.model_versions import (
    CHAMPION,
    MODEL_NAME,
    ResolvedModel,
    champion_or_none,
    register_bundle,
    resolve_model_uri,
    set_alias,
)
from deepfake.registry.open_run import TrackedRun, tracked_run
from deepfake.registry.store import check_tracking, make_store, masked, tracking_uri, ui_command

__all__ = [
    "BUNDLE_ARTIFACT",
    "CHALLENGER",
    "CHAMPION",
    "MODEL_NAME",
    "PARENT_TAG",
    "PENDING",
    "Promotion",
    "RegisteredVersion",
    "ResolvedModel",
    "TrackedRun",
    "begin_sweep",
    "champion_history",
    "champion_or_none",
    "check_tracking",
    "end_sweep",
    "ensure_first_champion",
    "find_run",
    "find_training",
    "list_versions",
    "log_bundle",
    "log_decision",
    "log_evaluation",
    "log_training",
    "log_training_or_defer",
    "log_trial",
    "make_store",
    "masked",
    "metrics_of_run",
    "promote",
    "register_bundle",
    "register_once",
    "replay",
    "replay_all",
    "resolve_model_uri",
    "roll_back",
    "rolled_back",
    "set_alias",
    "tracked_run",
    "tracking_uri",
    "ui_command",
]
