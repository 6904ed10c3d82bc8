"""The trials of a sweep, kept in a file so that an interrupted sweep continues."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import optuna
from optuna.trial import TrialState

from deepfake.config import TrainConfig
from deepfake.errors import ConfigError, DataError
from deepfake.storage import read_json, write_json, write_text
from deepfake.training.tuning.space import Range, SearchSpace, Value

__all__ = ["Trial", "TuningStudy", "open_study"]

_DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

_AGAIN = "again"
"""Of a trial: number of the killed one whose settings it has."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The settings of a trial.

    Attributes:
        number: From 0.
        config: The whole training.
        values: What was chosen for it.
    """

    number: int
    config: TrainConfig
    values: dict[str, Value]


class TuningStudy:
    """The trials of a sweep, and the choice of the next one.

    Args:
        study: Optuna's.
        space: What is tried.
        folder: Where everything lies.
    """

    def __init__(self, study: optuna.Study, *, space: SearchSpace, folder: Path) -> None:
        self._study = study
        self.space = space
        self.folder = folder
        self._live: dict[int, optuna.Trial] = {}

    @property
    def num_done(self) -> int:
        """Number of finished trials, without interrupted ones, which are tried again."""
        trials = self._study.get_trials(deepcopy=False)
        again = {trial.user_attrs.get(_AGAIN) for trial in trials}
        return sum(trial.state in _DONE and trial.number not in again for trial in trials)

    def next_trial(self) -> Trial:
        """Choose the next settings."""
        trial = self._study.ask()
        for name, setting in self.space.settings.items():
            if not isinstance(setting, Range):
                trial.suggest_categorical(name, setting.choices)
            elif setting.is_integer:
                trial.suggest_int(name, int(setting.low), int(setting.high), log=setting.log)
            else:
                trial.suggest_float(name, setting.low, setting.high, log=setting.log)
        self._live[trial.number] = trial
        values: dict[str, Value] = dict(trial.params)
        return Trial(trial.number, self.space.config(values), values)

    def report(self, number: int, *, epoch: int, value: float) -> bool:
        """Record an epoch of a trial, and return whether to stop it."""
        trial = self._live[number]
        trial.report(value, epoch)
        return bool(trial.should_prune())

    def complete(self, number: int, *, value: float, metric: str) -> None:
        """Record the result of a trial."""
        self._study.set_user_attr("metric", metric)
        self._study.tell(number, value)

    def prune(self, number: int) -> None:
        """Record that a trial was pruned."""
        self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int) -> None:
        """Record that a trial failed; it is not tried again."""
        self._study.tell(number, state=TrialState.FAIL)

    def best(self) -> Trial | None:
        """Return the best completed trial, None before there is one."""
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not done:
            return None
        best = max(done, key=lambda trial: (trial.value, -trial.number))
        return Trial(best.number, self.space.config(best.params), dict(best.params))

    def rows(self) -> list[dict[str, Any]]:
        """Return a record a trial: number, state, value, epochs and settings."""
        return [
            {
                "number": trial.number,
                "state": trial.state.name.lower(),
                "value": trial.value if trial.state is TrialState.COMPLETE else None,
                "best_epoch_value": max(trial.intermediate_values.values(), default=None),
                "num_epochs": len(trial.intermediate_values),
                **trial.params,
            }
            for trial in self._study.get_trials(deepcopy=False)
        ]

    @property
    def metric(self) -> str | None:
        """Name of the metric that ranks trials; None before one is completed."""
        metric = self._study.user_attrs.get("metric")
        return None if metric is None else str(metric)

    @property
    def tracked_as(self) -> str | None:
        """The sweep's run in the tracker, if any."""
        run_id = self._study.user_attrs.get("run_id")
        return None if run_id is None else str(run_id)

    def track_as(self, run_id: str) -> None:
        """Store the sweep's run in the tracker."""
        self._study.set_user_attr("run_id", run_id)

    def write_best(self) -> Path | None:
        """Write the best settings as a recipe, and return its file; None before there is one."""
        best = self.best()
        if best is None:
            return None
        path = self.folder / "best.toml"
        write_text(path, _as_toml(best.config.model_dump(mode="json")))
        return path

    def trial_folder(self, number: int) -> Path:
        """Return where the run of a trial lies."""
        return self.folder / "trials" / f"{number:03d}"

    def remove_worse(self, trials: Sequence[Trial | None]) -> None:
        """Remove the bundles of those trials that are not the best: they would fill the disk."""
        best = self.best()
        for trial in trials:
            if trial is not None and (best is None or trial.number != best.number):
                shutil.rmtree(self.trial_folder(trial.number) / "bundle", ignore_errors=True)

    def summary(self) -> dict[str, Any]:
        """Write all trials to `trials.json`, and return them with the best one, as JSON."""
        best, rows = self.best(), self.rows()
        write_text(self.folder / "trials.json", json.dumps(rows, indent=2))
        value = None if best is None else rows[best.number]["value"]
        return {
            "metric": self.metric,
            "best": None if best is None else {"number": best.number, "value": value} | best.values,
            "bundle": None if best is None else str(self.trial_folder(best.number) / "bundle"),
            "recipe": None if best is None else str(self.folder / "best.toml"),
            "trials": rows,
        }

    def _take_up(self) -> None:
        """Queue again the trials that were running when the sweep was interrupted."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.enqueue_trial(trial.params, user_attrs={_AGAIN: trial.number})
            self._study.tell(trial.number, state=TrialState.FAIL)


@contextmanager
def open_study(
    folder: Path, *, space: SearchSpace, data_digests: Mapping[str, str], seed: int
) -> Iterator[TuningStudy]:
    """Open the study of a folder, or create one; one process at a time.

    Args:
        folder: `study.db`, `sweep.json` and `best.toml` lie there.
        space: What is tried.
        data_digests: Corpus -> digest; trials on other data cannot be compared.
        seed: Of what is tried first.

    Raises:
        ConfigError: It was begun with another space or other data.
        DataError: Another sweep is at work on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise DataError("another sweep is at work on this study", path=folder) from None
    try:
        _check_same(folder, space=space, data_digests=data_digests)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
        study = optuna.create_study(
            storage=storage,
            study_name=folder.name,
            direction="maximize",
            load_if_exists=True,
            pruner=_pruner(space),
        )
        # Begun again it shall not try the same again.
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
        opened = TuningStudy(study, space=space, folder=folder)
        opened._take_up()
        try:
            yield opened
        finally:
            storage.engine.dispose()
    finally:
        lock.release()


def _pruner(space: SearchSpace) -> optuna.pruners.BasePruner:
    pruner = space.pruner
    if pruner.name == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=pruner.warmup_epochs + 1, max_resource=space.config({}).epochs
        )
    return optuna.pruners.MedianPruner(
        n_startup_trials=pruner.startup_trials, n_warmup_steps=pruner.warmup_epochs
    )


def _check_same(folder: Path, *, space: SearchSpace, data_digests: Mapping[str, str]) -> None:
    path = folder / "sweep.json"
    description = {
        "schema_version": 1,
        "space": space.model_dump(mode="json"),
        # A recipe's file may change under its name.
        "base": space.config({}).model_dump(mode="json"),
        "data_digests": dict(data_digests),
    }
    if not path.is_file():
        write_json(path, description)
        return
    kept = read_json(path)
    changed = [name for name in description if kept.get(name) != description[name]]
    if changed:
        raise ConfigError(
            f"the sweep was begun with other {' and '.join(changed)}",
            path=folder,
            hint="Give this one another --name.",
        )


def _as_toml(values: Mapping[str, Any]) -> str:
    """Return a mapping of plain values and one level of tables; None is left out."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items() if not isinstance(v, dict | None)]
    for name, table in values.items():
        if isinstance(table, dict):
            table_lines = [f"{k} = {json.dumps(v)}" for k, v in table.items() if v is not None]
            lines += ["", f"[{name}]", *table_lines]
    return "\n".join(lines) + "\n"
