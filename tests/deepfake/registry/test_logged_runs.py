"""Runs on a real SQLite store, and on none."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepfake import registry
from deepfake.config import TrainConfig
from deepfake.errors import TrackingError
from deepfake.registry.mlflow_values import read_metrics_lines

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that it wants to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

NOWHERE = "http://127.0.0.1:9"


def client_of(uri: str):  # type: ignore[no-untyped-def]
    """Return MLflow's own client."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:wo:rd@db/x", "postgresql://***@db/x"),
        ("postgresql://me:a/b@c@db/x", "postgresql://***@db/x"),
        ("https://token@host:5000/a", "https://***@host:5000/a"),
        ("mysql://db/x?user=a&password=word&ssl=1", "mysql://db/x?user=a&password=***&ssl=1"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("http://localhost:5000", "http://localhost:5000"),
    ],
)
def test_credentials_are_never_shown(uri: str, shown: str) -> None:
    assert registry.mask_credentials(uri) == shown
    assert registry.mask_credentials(f"cannot reach {uri} today") == f"cannot reach {shown} today"


def test_a_training_is_kept_whole(store: str, training: dict[str, object]) -> None:
    run_id = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    client = client_of(store)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "a run"
    assert run.data.params == {"lr": "0.001", "augment.jpeg_p": "0.3"}
    assert run.data.tags["data.faces"] == "0123abcd"
    history = client.get_metric_history(run_id, "val_auc")
    assert [(m.step, m.value) for m in history] == [(0, 0.0), (10, 0.25), (20, 0.5)]
    names = [a.path for a in client.list_artifacts(run_id, "detector")]
    assert names == ["detector/detector.json", "detector/weights.safetensors"]
    database = Path(store.removeprefix("sqlite:///"))
    assert (database.parent / "artifacts" / "training" / run_id).is_dir()


def test_what_is_known_of_a_finished_detector_stands_beside_its_epochs(
    store: str, training: dict[str, object]
) -> None:
    arguments = {
        **training,
        "params": {"lr": 1e-3, "max_minutes": None, "augment": {"jpeg_p": None}},
        "metrics": {"val_auc": 0.9, "num_train_real": 7, "why": "text", "val_loss": None},
    }
    run_id = registry.log_training(**arguments, uri=store)  # type: ignore[arg-type]
    again = registry.log_training(**arguments, run_id=run_id, uri=store)  # type: ignore[arg-type]
    client = client_of(store)
    run = client.get_run(again)
    assert run.data.params == {"lr": "0.001"}, "what is not known is not there"
    assert run.data.metrics["val_auc"] == 0.5, "an epoch logged it"
    assert run.data.metrics["num_train_real"] == 7
    assert not {"why", "val_loss"} & set(run.data.metrics)
    assert len(client.get_metric_history(run_id, "num_train_real")) == 1


def test_a_training_ends_in_the_run_that_its_settings_began(
    store: str, training: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    config = TrainConfig()
    with registry.track_run(
        experiment="training", run_name="a run", params=config.model_dump(), uri=store
    ) as opened:
        assert opened.run_id is not None
    out_of_a_file = json.loads(config.model_dump_json())
    arguments = {**training, "params": out_of_a_file, "run_id": opened.run_id}
    assert registry.log_training(**arguments, uri=store) == opened.run_id  # type: ignore[arg-type]
    run = client_of(store).get_run(opened.run_id)
    assert run.data.params["augment.jpeg_quality"] == str(list(config.augment.jpeg_quality))
    assert run.data.metrics["val_auc"] == 0.5
    assert not caplog.records, "no parameter differs"


def test_a_setting_that_the_store_knows_otherwise_costs_no_training(
    store: str, training: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    run_id = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    arguments = {**training, "params": {"lr": 0.5, "seed": 3}, "run_id": run_id}
    assert registry.log_training(**arguments, uri=store) == run_id  # type: ignore[arg-type]
    params = client_of(store).get_run(run_id).data.params
    assert params == {"lr": "0.001", "augment.jpeg_p": "0.3", "seed": "3"}
    assert f"the run {run_id} keeps lr = 0.001; it was now 0.5" in caplog.text


def test_a_sweep_is_a_tree_of_runs_that_is_gone_on_with(
    store: str, training: dict[str, object], tmp_path: Path
) -> None:
    begin = {"experiment": "training", "run_name": "s", "params": {"space": {"a": 1, "b": None}}}
    parent = registry.begin_sweep(**begin, tags={"stage": "sweep"}, uri=store)  # type: ignore[arg-type]
    with registry.track_run(
        experiment="training", run_name="s-0", tags={registry.PARENT_TAG: parent}, uri=store
    ) as trial:
        assert trial.run_id is not None
        registry.log_trial(
            trial.run_id,
            metrics_jsonl=training["metrics_jsonl"],  # type: ignore[arg-type]
            metrics={"objective": 0.5},
            tags={"outcome": "pruned"},
            uri=store,
        )
    (tmp_path / "best.toml").write_text("a = 1\n")
    for status in ("FAILED", "FINISHED"):
        same = registry.begin_sweep(**begin, tags={}, run_id=parent, uri=store)  # type: ignore[arg-type]
        assert same == parent
        assert client_of(store).get_run(parent).info.status == "RUNNING"
        registry.end_sweep(
            parent,
            status=status,  # type: ignore[arg-type]
            metrics={"objective": 0.5},
            artifacts=[tmp_path / "best.toml"],
            bundle=training["bundle"],  # type: ignore[arg-type]
            uri=store,
        )
    client = client_of(store)
    found = client.get_run(parent)
    assert (found.info.status, found.data.params) == ("FINISHED", {"space.a": "1"})
    assert [a.path for a in client.list_artifacts(parent, "sweep")] == ["sweep/best.toml"]
    assert len(client.list_artifacts(parent, "detector")) == 2
    child = client.get_run(trial.run_id)
    assert child.data.tags["mlflow.parentRunId"] == parent
    assert {"val_auc", "objective"} <= set(child.data.metrics)
    other = registry.begin_sweep(**begin, tags={}, run_id="0" * 32, uri=store)  # type: ignore[arg-type]
    assert other != parent, "another store does not know it"


def test_system_metrics_stand_beside_the_trainings_own(
    store: str, training: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with registry.track_run(experiment="training", run_name="open", uri=store) as run:
        time.sleep(0.5)
        same = registry.log_training(**training, run_id=run.run_id, uri=store)  # type: ignore[arg-type]
    found = client_of(store).get_run(same)
    assert run.run_id == same
    assert found.info.status == "FINISHED"
    assert "system/cpu_utilization_percentage" in found.data.metrics
    assert found.data.metrics["val_auc"] == 0.5


def test_a_computation_that_fails_ends_its_run_as_failed(store: str) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        registry.track_run(experiment="training", run_name="x", uri=store) as run,
    ):
        raise ZeroDivisionError
    assert client_of(store).get_run(run.run_id).info.status == "FAILED"


def test_a_store_that_is_down_costs_a_warning(
    store: str, training: dict[str, object], tmp_path: Path
) -> None:
    pending = tmp_path / "pending.json"
    with registry.track_run(experiment="training", run_name="x", uri=NOWHERE) as run:
        assert run.run_id is None
        assert "127.0.0.1:9" in (run.warning or "")
    deferred = registry.log_training_or_defer(pending=pending, **training, uri=NOWHERE)
    assert deferred is None
    with pytest.raises(TrackingError):
        registry.replay(pending, uri=NOWHERE)
    run_id = registry.replay(pending, uri=store)
    assert not pending.exists()
    found = client_of(store).get_run(run_id)
    assert found.data.params["augment.jpeg_p"] == "0.3"
    assert found.data.metrics["val_auc"] == 0.5


def test_replaying_into_the_same_run_adds_nothing_twice(
    store: str, training: dict[str, object], tmp_path: Path
) -> None:
    first = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    pending = tmp_path / "pending.json"
    known = training | {"run_id": first}
    assert registry.log_training_or_defer(pending=pending, **known, uri=NOWHERE) is None
    assert registry.replay(pending, uri=store) == first
    assert len(client_of(store).get_metric_history(first, "val_auc")) == 3


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = '{"epoch": 1, "step": null, "name": "a@b", "value": 2}\n'
    path.write_text(whole + '{"epoch": 2, "na')
    (metric,) = read_metrics_lines(path)
    assert (metric.key, metric.value, metric.step) == ("a_b", 2.0, 1)
    later = '{"epoch": 1, "step": null, "name": "a@b", "value": 3}\n'
    path.write_text(whole + later + '{"epoch": null, "step": null, "name": "c", "value": null}\n')
    (metric,) = read_metrics_lines(path)
    assert metric.value == 3.0  # a resumed training writes its last epoch anew
    path.write_text("nonsense\n" + whole)
    with pytest.raises(TrackingError, match="line 1"):
        read_metrics_lines(path)


def test_an_evaluation_is_kept(store: str, tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    (figures / "roc.png").write_bytes(b"\x89PNG")
    report = {"summary": {"video_auc": 0.8, "a corpus (c23)/video_auc": 0.7, "none": None}}
    run_id = registry.log_evaluation(
        report,
        experiment="evaluation",
        run_name="e",
        figures=figures,
        markdown="# words",
        tags={"detector.digest": "ab"},
        uri=store,
    )
    client = client_of(store)
    run = client.get_run(run_id)
    assert run.data.metrics == {"video_auc": 0.8, "a corpus _c23_/video_auc": 0.7}
    assert run.data.tags["mlflow.note.content"] == "# words"
    names = {Path(a.path).name for a in client.list_artifacts(run_id, "evaluation")}
    assert names == {"report.json", "roc.png", "summary.md"}


def _datasets(uri: str, run_id: str) -> list[tuple[str, str, str, str]]:
    return [
        (
            used.dataset.name,
            used.dataset.digest,
            json.loads(used.dataset.source)["uri"],
            {tag.key: tag.value for tag in used.tags}["mlflow.data.context"],
        )
        for used in client_of(uri).get_run(run_id).inputs.dataset_inputs
    ]


def test_the_page_shows_what_was_learnt_from_and_by_which_command(
    store: str, training: dict[str, object], tmp_path: Path
) -> None:
    faces = registry.DatasetUse("faces", "0123abcd", "/data/shards/faces/0123abcd", "training")
    tags = {**training["tags"], **registry.run_tags("train", [])}  # type: ignore[dict-item]
    arguments = {**training, "datasets": [faces], "tags": tags}
    with registry.track_run(
        experiment="training", run_name="a run", datasets=[faces], uri=store
    ) as opened:
        pass
    arguments["run_id"] = opened.run_id
    for _ in range(2):
        assert registry.log_training(**arguments, uri=store) == opened.run_id  # type: ignore[arg-type]
    shown = [("faces", "0123abcd", "/data/shards/faces/0123abcd", "training")]
    assert _datasets(store, str(opened.run_id)) == shown, "once, however often it is written"
    found = client_of(store).get_run(opened.run_id).data.tags
    assert found["mlflow.source.name"] == "deepfake train"

    pending = tmp_path / "pending.json"
    deferred = {**arguments, "run_id": None}
    registry.log_training_or_defer(pending=pending, **deferred, uri=NOWHERE)
    assert _datasets(store, registry.replay(pending, uri=store)) == shown


def test_a_run_that_could_not_be_written_whole_is_not_left_behind(store: str) -> None:
    refused = {"./faces": 0.5}
    for _ in range(2):
        with pytest.raises(TrackingError):
            registry.log_evaluation(refused, experiment="halves", run_name="e", uri=store)
    experiment = client_of(store).get_experiment_by_name("halves")
    assert client_of(store).search_runs([experiment.experiment_id]) == []


def test_a_run_is_found_by_its_name_and_tags(store: str) -> None:
    asked = {"experiment": "named", "uri": store}
    made = [
        registry.log_evaluation({}, run_name=name, tags={"data.a": stage}, **asked)
        for name, stage in (("one", "x"), ("one", "y"), ("two", "y"))
    ]
    assert registry.find_run({"data.a": "y"}, **asked) == made[2]
    assert registry.find_run({"data.a": "y"}, run_name="one", **asked) == made[1]
    assert registry.find_run({"data.a": "x"}, run_name="two", **asked) is None


def test_an_evaluation_without_figures_is_kept(store: str, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    run_id = registry.log_evaluation(
        {}, experiment="evaluation", run_name="e", figures=absent, uri=store
    )
    assert client_of(store).get_run(run_id).info.status == "FINISHED"


def test_an_evaluation_hangs_below_the_training(store: str, training: dict[str, object]) -> None:
    arguments = {**training, "tags": {"stage": "train", "model_digest": "0123456789abcdef"}}
    trained = registry.log_training(**arguments, uri=store)  # type: ignore[arg-type]
    experiment = str(training["experiment"])
    found = registry.find_training("0123456789abcdef", experiment=experiment, uri=store)
    assert found == trained
    assert registry.find_training("f" * 16, experiment=experiment, uri=store) is None
    run_id = registry.log_evaluation(
        {"summary": {"video_auc": 0.8}},
        experiment=experiment,
        run_name="e",
        params={"split": "test"},
        tags={"corpus": "faces"},
        trained_by=found,
        uri=store,
    )
    client = client_of(store)
    assert client.get_run(run_id).data.tags["mlflow.parentRunId"] == trained
    assert client.get_run(trained).data.metrics["faces-test/video_auc"] == 0.8


def test_doctor_hears_whether_the_store_answers(store: str, tmp_path: Path) -> None:
    registry.log_evaluation({}, experiment="evaluation", run_name="e", uri=store)
    assert registry.check_tracking(store) == (True, f"{store} (answers)")
    is_fine, message = registry.check_tracking("http://me:word@127.0.0.1:9")
    assert not is_fine
    assert "word" not in message
    broken = tmp_path / "broken.db"
    broken.write_text("no database at all, but long enough to be taken for one" * 20)
    is_fine, message = registry.check_tracking(f"sqlite:///{broken}")
    assert not is_fine
    assert "broken.db" in message


def test_the_ui_command_names_the_store_and_no_secret(
    store: str,
) -> None:
    assert shlex.split(registry.ui_command(store))[-1] == store
    command = registry.ui_command("postgresql://me:word@db/mlflow")
    assert "word" not in command
    assert '"$MLFLOW_TRACKING_URI"' in command
    assert "word" not in registry.ui_command("http://me:word@host:5000/")


def test_a_deleted_experiment_is_named(store: str) -> None:
    registry.log_evaluation({}, experiment="short-lived", run_name="e", uri=store)
    client = client_of(store)
    client.delete_experiment(client.get_experiment_by_name("short-lived").experiment_id)
    with pytest.raises(TrackingError, match="deleted") as caught:
        registry.log_evaluation({}, experiment="short-lived", run_name="e", uri=store)
    assert "restore" in (caught.value.hint or "")


def test_importing_costs_no_mlflow_and_using_it_sends_no_telemetry(store: str) -> None:
    code = (
        "import sys; from deepfake import registry; assert 'mlflow' not in sys.modules;"
        f"registry.check_tracking({store!r});"
        "from mlflow.telemetry.utils import is_telemetry_disabled; assert is_telemetry_disabled();"
        "from mlflow.telemetry.client import get_telemetry_client;"
        "assert get_telemetry_client() is None"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CI", "GITHUB"))}
    registry.log_evaluation({}, experiment="evaluation", run_name="e", uri=store)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=kept)
