"""A detector of voices by the command line: ingest, train, evaluate, calibrate, score, export."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from deepfake.detectors.open_bundle import open_bundle
from deepfake.detectors.voice_bundle import load_voice_bundle
from deepfake.registry import list_versions, tracking_uri
from deepfake.storage import to_uri
from tests.command_line import Completed, kill_deepfake, run_deepfake
from tests.sound_factory import make_speech, write_samples
from tests.untrained_detector import write_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_COUNTS = {"train": 10, "val": 54, "test": 4}
"""Of each class. Half of `val` calibrates, 20 files of each class are needed there."""
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Home:
    """A folder with a corpus in `media`, ingested as `speech`."""

    root: Path

    def run(self, *arguments: str) -> Completed:
        done = run_deepfake(*arguments, cwd=self.root, timeout_seconds=1800)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def bundle(self, run: str) -> Path:
        return self.root / "data" / "runs" / run / "bundle"


def _train(run: str, *more: str) -> tuple[str, ...]:
    said = ("train", "--modality", "voice", "--dataset", "speech", "--device", "cpu")
    return (*said, "--max-crops", "64", "--batch-size", "8", "--run-name", run, *more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> _Home:
    """Ingest speech, and speech of which every second sample is held for a fake."""
    home = _Home(tmp_path_factory.mktemp("home"))
    for split, count in _COUNTS.items():
        for number in range(count):
            for label in ("real", "fake"):
                folder = home.root / "media" / split / label
                folder.mkdir(parents=True, exist_ok=True)
                speech = make_speech(4.0, seed=len(split) + 10 * number + 5 * (label == "fake"))
                sound = np.repeat(speech[::2], 2) if label == "fake" else speech
                write_samples(folder / f"{number}.flac", sound[None], codec="flac")
    write_bundle(home.root / "faces", model="test_efficientnet", size=64)
    home.run(
        *("ingest", "media", "--corpus", "speech", "--modality", "voice"),
        *("--window-seconds", "2", "--max-windows", "1"),
    )
    return home


@pytest.fixture(scope="module")
def trained(home: _Home) -> _Home:
    """Train for one epoch as the run `first`, and calibrate that as `calibrated`."""
    done = home.run(*_train("first", "--epochs", "1"))
    assert "registered: voice-detector version 1" in done.stdout
    weights = str(home.bundle("first"))
    again = ("--dataset", "speech", "--run-name", "calibrated", "--prior", "0.2")
    done = home.run("calibrate", "--weights", weights, "--device", "cpu", *again)
    assert "registered: voice-detector version 2" in done.stdout
    return home


def test_a_bundle_of_voices_is_trained_registered_and_calibrated(trained: _Home) -> None:
    first, calibrated = (load_voice_bundle(trained.bundle(n)) for n in ("first", "calibrated"))
    assert first.spec.speech.window_seconds == 2.0
    assert first.spec.judgement.calibration.is_fitted
    assert (first.spec.prior, calibrated.spec.prior) == (0.5, 0.2)
    assert calibrated.spec.calibration_digests == first.spec.data_digests
    for name, tensor in first.state_dict().items():
        assert (tensor == calibrated.state_dict()[name]).all()
    versions = list_versions("voice-detector", uri=tracking_uri(trained.root / "data"))
    assert {version.version for version in versions} == {1, 2}


def test_evaluate_and_score_agree(trained: _Home) -> None:
    done = trained.run(
        *("evaluate", "--dataset", "speech", "--weights", str(trained.bundle("first"))),
        *("--split", "test", "--device", "cpu"),
    )
    assert "Voices of speech, test" in done.stdout
    (table,) = trained.root.glob("data/evaluations/*/files.parquet")
    measured = pd.read_parquet(table).set_index("uri")["logit"]
    assert len(measured) == 2 * _COUNTS["test"]
    trained.run(
        *("score", "media/test", "--output", "out", "--weights", "faces", "--evidence", "0"),
        *("--voice-weights", str(trained.bundle("calibrated"))),
    )
    scores = pd.read_parquet(trained.root / "out" / "scores.parquet").set_index("uri")
    assert set(scores.index) == set(measured.index)
    assert to_uri(trained.root / "media" / "test" / "fake" / "0.flac") in set(scores.index)
    difference = (scores["logit_voice"] - measured).abs().max()
    assert difference <= _TOLERANCE
    # Not because all files have one logit: an epoch moves the network's average little.
    assert difference <= (measured.max() - measured.min()) / 20


def test_detect_says_the_same_as_score(trained: _Home) -> None:
    file = "media/test/real/1.flac"
    weights = ("--weights", "faces", "--voice-weights", str(trained.bundle("calibrated")))
    trained.run("score", "media/test", "--output", "other", "--evidence", "0", *weights)
    scores = pd.read_parquet(trained.root / "other" / "scores.parquet").set_index("uri")
    (row,) = json.loads(trained.run("detect", file, "--json", *weights).stdout)
    expected = scores.loc[row["uri"]]
    for column in ("logit_voice", "prob_fake_voice", "verdict_voice", "reason_voice"):
        assert row[column] == expected[column]
    assert trained.run("detect", file, *weights).stdout.count(file.rpartition("/")[2]) == 1


def test_a_detector_of_voices_is_exported(trained: _Home) -> None:
    done = trained.run("export", "--weights", str(trained.bundle("first")), "--output", "v.onnx")
    assert "how speech is cut and calibration are in the file's metadata" in done.stdout
    model = onnx.load(trained.root / "v.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["bundle_digest"] == open_bundle(trained.bundle("first")).digest
    assert json.loads(metadata["speech"])["window_seconds"] == 2.0
    (width,) = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    assert width == 2 * 16_000


def test_a_killed_training_is_resumed(home: _Home) -> None:
    run = home.root / "data" / "runs" / "killed"
    last = run / "checkpoints" / "last.ckpt"
    arguments = _train("killed", "--epochs", "2")
    kill_deepfake(*arguments, cwd=home.root, when=last.exists, timeout_seconds=1200)
    assert not (run / "result.json").exists()
    home.run(*arguments, "--resume")
    result = json.loads((run / "result.json").read_text())
    assert result["num_epochs"] == 2
    spec = load_voice_bundle(home.bundle("killed")).spec
    assert spec.train_config.epochs == 2
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "val_auc" in str(line)]
    assert epochs, "the half of `val` that chooses was measured"
