"""MLflow: training runs, their metrics, and the registry of detectors. The only importer of mlflow.

No result depends on it: metrics are written to files first. A store that does not answer costs a
warning; `replay` writes the run later.
"""

from deepfake.registry.champion_history import Promotion
from deepfake.registry.champions import (
    CHALLENGER,
    RegisteredVersion,
    champion_history,
    list_rolled_back,
    list_versions,
    promote,
    register_once,
    roll_back,
)
from deepfake.registry.deferred_runs import PENDING, log_training_or_defer, replay, replay_all
from deepfake.registry.inputs import DatasetUse, run_tags
from deepfake.registry.location import absolute_uri, describe_other_registry, tracking_uri
from deepfake.registry.log_runs import (
    BUNDLE_ARTIFACT,
    PARENT_TAG,
    find_run,
    find_training,
    log_decision,
    log_evaluation,
    log_training,
    metrics_of_run,
)
from deepfake.registry.log_sweeps import begin_sweep, end_sweep, log_trial
from deepfake.registry.model_versions import (
    CHAMPION,
    MODEL_NAME,
    SYNC_MODEL_NAME,
    VOICE_MODEL_NAME,
    ResolvedModel,
    champion_or_none,
    register_bundle,
    resolve_model_uri,
    set_alias,
)
from deepfake.registry.notes import not_logged_note, not_registered_note
from deepfake.registry.open_run import TrackedRun, track_run
from deepfake.registry.store import check_tracking, make_store, mask_credentials, ui_command
from deepfake.registry.version_runs import MeasuredAuc, VersionRun, read_version_run

__all__ = [
    "BUNDLE_ARTIFACT",
    "CHALLENGER",
    "CHAMPION",
    "MODEL_NAME",
    "PARENT_TAG",
    "PENDING",
    "SYNC_MODEL_NAME",
    "VOICE_MODEL_NAME",
    "DatasetUse",
    "MeasuredAuc",
    "Promotion",
    "RegisteredVersion",
    "ResolvedModel",
    "TrackedRun",
    "VersionRun",
    "absolute_uri",
    "begin_sweep",
    "champion_history",
    "champion_or_none",
    "check_tracking",
    "describe_other_registry",
    "end_sweep",
    "find_run",
    "find_training",
    "list_rolled_back",
    "list_versions",
    "log_decision",
    "log_evaluation",
    "log_training",
    "log_training_or_defer",
    "log_trial",
    "make_store",
    "mask_credentials",
    "metrics_of_run",
    "not_logged_note",
    "not_registered_note",
    "promote",
    "read_version_run",
    "register_bundle",
    "register_once",
    "replay",
    "replay_all",
    "resolve_model_uri",
    "roll_back",
    "run_tags",
    "set_alias",
    "track_run",
    "tracking_uri",
    "ui_command",
]
