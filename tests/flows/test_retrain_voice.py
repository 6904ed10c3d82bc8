"""Retraining detectors of voices as its user runs it, apart from those of faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake import registry
from deepfake.corpora.held_out import freeze_held_out_set
from deepfake.corpora.shards import Snapshot, set_latest
from deepfake.detectors.open_bundle import open_bundle
from deepfake.errors import BundleError
from deepfake.evaluation.promotion import Decision, read_decision
from deepfake.registry import MODEL_NAME, VOICE_MODEL_NAME
from tests.command_line import run_deepfake
from tests.flows.retrain_home import Flows, Home, files_of, running_flows
from tests.log_bundle import log_bundle
from tests.untrained_detector import write_bundle
from tests.untrained_voice_detector import write_voice_bundle
from tests.voice_corpus import SPEECH, VoiceFile, voice_files, write_voice_corpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

_RECIPE = """\
epochs = 2
windows_per_epoch = 320
batch_size = 16
learning_rate = 3e-3
copy_share = 0.1
crop_seconds = [0.7, 1.0]
[augment]
is_enabled = false
"""
_POLICY = """\
held_out = "calls"
min_gain = 0.01
max_regression = 0.05
min_slice_files = 20
max_ece_rise = 0.5
max_cost_ratio = 3.0
"""
_OPTIONS = {"modality": "voice", "policy": "policy.toml", "device": "cpu"}


def _write(home: Home, corpus: str, files: list[VoiceFile], *, seed: int) -> Snapshot:
    snapshot = write_voice_corpus(home.root.path, files, corpus=corpus, seed=seed)
    set_latest(snapshot.corpus_dir, snapshot.digest)
    return snapshot


def _register(home: Home, name: str, bundle: Path) -> None:
    run_id = log_bundle(bundle, experiment="deepfake", run_name=bundle.name, uri=home.uri)
    digest = open_bundle(bundle).digest
    version = registry.register_once(run_id, name=name, digest=digest, uri=home.uri)
    registry.promote(name, version, author="the test", reason="to begin with", uri=home.uri)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with corpora, a held-out set of voices, and a champion of each modality."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("home") / "here"
    path.mkdir()
    home = Home(path, registry.tracking_uri(path))
    (path / "voices.toml").write_text(_RECIPE)
    (path / "policy.toml").write_text(_POLICY)
    held_out = _write(home, "tested", voice_files({"test": 40}), seed=1)
    freeze_held_out_set(home.root, "calls", snapshot=held_out)
    learnt = voice_files({"train": 40, "val": 60})
    _write(home, "good", [*learnt, *voice_files({"test": 25})], seed=2)
    noise = [replace(file, is_held=number % 2 == 0) for number, file in enumerate(learnt)]
    _write(home, "noise", noise, seed=3)
    home.write("stills", files_of("train", real=4, grid=4) + files_of("val", real=4, grid=4))
    _register(home, MODEL_NAME, write_bundle(path / "faces", model="test_efficientnet", size=64))
    # The newest champion by chance: a network that never learnt.
    _register(home, VOICE_MODEL_NAME, write_voice_bundle(path / "voice", speech=SPEECH))
    return home


@pytest.fixture(scope="module")
def flows(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flows]:
    with running_flows(home, log=tmp_path_factory.mktemp("flows") / "log") as process:
        yield process


def _retrain(flows: Flows, corpus: str, **more: Any) -> dict[str, Any]:
    return flows.run("retrain", {"dataset": [corpus], **_OPTIONS, **more})


def _decision(home: Home, done: dict[str, Any]) -> Decision:
    return read_decision(home.path / done["run_dir"] / "decision" / "decision.json")


def test_a_better_challenger_is_promoted_from_the_command_line(home: Home) -> None:
    done = run_deepfake(
        *("retrain", "--modality", "voice", "--dataset", "good", "--start", "scratch"),
        *("--recipe", "voices.toml", "--policy", "policy.toml", "--device", "cpu"),
        cwd=home.path,
        environment=home.environment,
        timeout_seconds=1500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "promoted: the challenger is champion now" in done.stdout
    assert "compared with: voice-detector version 1" in done.stdout
    assert "registered: voice-detector version 2 (champion)" in done.stdout
    assert home.aliases(VOICE_MODEL_NAME) == {"champion": 2}
    assert home.aliases(MODEL_NAME) == {"champion": 1}, "faces are another matter"
    newest = registry.list_versions(VOICE_MODEL_NAME, uri=home.uri)[0]
    assert newest.tags["decision"] == "promoted"

    from mlflow import MlflowClient

    run = MlflowClient(tracking_uri=home.uri).get_run(newest.tags["decision.run_id"])
    assert run.data.tags["modality"] == "voice"
    assert run.data.metrics["auc_difference_low"] > 0
    assert "- detectors of: voice" in run.data.tags["mlflow.note.content"]
    listed = home.command("models", "list", "--name", VOICE_MODEL_NAME)
    assert "champion" in listed and "lcnn" in listed and "good" in listed
    shown = home.command("models", "show", "champion", "--name", VOICE_MODEL_NAME)
    assert "network: lcnn on 1 s of speech" in shown and "began with: scratch" in shown
    compared = home.command("models", "compare", "1", "2", "--name", VOICE_MODEL_NAME)
    assert "lcnn on 1 s of speech" in compared


def test_one_that_learnt_noise_from_the_champions_weights_is_not(home: Home, flows: Flows) -> None:
    assert home.aliases(VOICE_MODEL_NAME) == {"champion": 2}
    done = _retrain(flows, "noise", lr=0.01)
    assert (done["outcome"], done["alias"], done["model_version"]) == ("kept", "challenger", 3)
    decision = _decision(home, done)
    assert decision.modality == "voice" and decision.num_looks == 2
    assert decision.cost is not None and decision.cost["unit"] == "window"
    began = open_bundle(home.path / done["bundle"]).spec.pretrained_source
    assert began == f"detector {VOICE_MODEL_NAME} ({done['champion']['digest']})"
    assert home.aliases(VOICE_MODEL_NAME) == {"champion": 2, "challenger": 3}
    # What the champion learnt from is nothing new.
    again = _retrain(flows, "good", start="scratch", recipe="voices.toml")
    assert again["outcome"] == "nothing_new"
    # By hand either way, but not into the place of the other modality.
    home.command("models", "promote", "3", "--name", VOICE_MODEL_NAME, "--reason", "tried")
    assert home.aliases(VOICE_MODEL_NAME)["champion"] == 3
    home.command("models", "rollback", "--name", VOICE_MODEL_NAME)
    assert home.aliases(VOICE_MODEL_NAME)["champion"] == 2
    assert home.aliases(MODEL_NAME) == {"champion": 1}


def test_what_mixes_faces_and_voices_is_refused(home: Home, flows: Flows) -> None:
    found = _retrain(flows, "stills")
    assert "faces" in found["error"] and "voice" in found["error"]
    found = _retrain(flows, "good", modality="faces", name=VOICE_MODEL_NAME)
    assert "has no detectors of faces" in found["error"]
    found = _retrain(flows, "good", name="nobody")
    assert "was cut with window_seconds=1.0" in found["error"], "the packaged one takes 4 s"
    run_id = log_bundle(home.path / "voice", experiment="deepfake", run_name="x", uri=home.uri)
    version = registry.register_once(run_id, name=MODEL_NAME, digest="0" * 16, uri=home.uri)
    with pytest.raises(BundleError, match="not a deepfake detector that --weights can name"):
        home.command(
            "models", "promote", str(version), "--name", MODEL_NAME, "--reason", "a mistake"
        )
    assert home.aliases(MODEL_NAME) == {"champion": 1}
