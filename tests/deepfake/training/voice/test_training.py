"""A detector of voices learns in seconds, resumes, is calibrated, and answers on unseen files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake.config import SoundAugmentConfig, VoiceTrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.voice_bundle import load_voice_bundle
from deepfake.errors import ConfigError, DataError
from deepfake.evaluation.voice.evaluate import evaluate_voice
from deepfake.training.metrics_file import read_metrics_file
from deepfake.training.run_folder import TrainResult, read_result
from deepfake.training.voice.calibrate import calibrate_voice_bundle
from deepfake.training.voice.train import train_voice_detector
from tests.voice_corpus import VoiceFile, voice_files, write_voice_corpus

_CONFIG = VoiceTrainConfig(
    epochs=2,
    windows_per_epoch=320,
    batch_size=16,
    learning_rate=3e-3,
    copy_share=0.1,
    crop_seconds=(0.7, 1.0),
    augment=SoundAugmentConfig(is_enabled=False),
)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    files = voice_files({"train": 40, "val": 60, "test": 25}, methods=("first", "second"))
    return write_voice_corpus(tmp_path_factory.mktemp("corpus"), files)


@pytest.fixture(scope="module")
def result(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train_voice_detector(
        snapshots=[snapshot],
        config=_CONFIG,
        run_dir=tmp_path_factory.mktemp("runs") / "run",
        name="tried",
        device="cpu",
        num_workers=0,
        show_progress=False,
    )


def test_it_learns_what_tells_fakes_from_reals(result: TrainResult, snapshot: Snapshot) -> None:
    found = evaluate_voice(snapshot, result.bundle, "test")
    assert found.auc is not None and found.auc > 0.9
    assert found.eer is not None and found.eer < 0.2
    assert found.auc_interval is not None and found.auc_interval[0] <= found.auc
    assert found.eer_interval is not None and found.eer_interval[0] <= found.eer
    assert (found.n_real, found.n_fake, found.n_without_score) == (25, 25, 0)
    assert set(found.verdicts_by_method) == {"real", "first", "second"}
    assert sum(found.verdicts_by_method["first"].values()) == 13
    assert sum(found.verdicts["real"].values()) == 25
    assert len(found.flagged_reals) == found.verdicts["real"].get("fake", 0)
    assert json.loads(json.dumps(found.to_json()))["corpus"] == "voices"


def test_the_run_is_on_record(result: TrainResult, snapshot: Snapshot) -> None:
    assert read_result(result.run_dir / "result.json") == result
    names = {line["name"] for line in read_metrics_file(result.run_dir / "metrics.jsonl")}
    assert {"train_loss", "val_loss", "val_auc", "val_eer"} <= names
    bundle = load_voice_bundle(result.bundle)
    assert bundle.spec.data_digests == {snapshot.corpus: snapshot.digest}
    assert bundle.spec.has_novelty
    assert "copies of the speech of voices" in bundle.spec.scope
    assert result.metrics["num_train_real"] == 40


def test_thresholds_hold_on_the_calibrating_half(result: TrainResult) -> None:
    spec = load_voice_bundle(result.bundle).spec
    judgement = spec.judgement
    assert judgement.calibration.is_fitted
    assert judgement.thresholds.is_fitted
    assert judgement.thresholds.max_false_alarm == 0.05
    assert judgement.likelihood_ratio_bounds is not None
    assert judgement.support.max_novelty is not None
    auc = spec.metrics["val_calibration_voice_auc"]
    assert isinstance(auc, float)
    assert auc > 0.9


def test_calibrating_on_two_corpora_and_an_unseen_one(
    result: TrainResult, snapshot: Snapshot, tmp_path: Path
) -> None:
    other = write_voice_corpus(
        tmp_path, voice_files({"val": 30}, num_windows=2), corpus="other", seed=5
    )
    unseen = write_voice_corpus(tmp_path, voice_files({"test": 10}), corpus="unseen", seed=6)
    output = tmp_path / "calibrated"
    calibrate_voice_bundle(
        result.bundle,
        snapshots=[snapshot, other],
        output=output,
        prior=0.2,
        unseen=[unseen],
    )
    spec = load_voice_bundle(output).spec
    assert spec.prior == spec.judgement.calibration.prior == 0.2
    assert set(spec.calibration_digests) == {"voices", "other"}
    (counted,) = spec.judgement.unseen
    assert (counted.corpus, counted.num_real, counted.num_fake) == ("unseen", 10, 10)
    with pytest.raises(DataError, match="learnt from voices"):
        calibrate_voice_bundle(
            result.bundle, snapshots=[other], output=tmp_path / "x", unseen=[snapshot]
        )


def test_no_real_of_an_unseen_corpus_is_called_fake(
    result: TrainResult, snapshot: Snapshot, tmp_path: Path
) -> None:
    files = voice_files({"test": 10}, num_windows=2)
    # Recordings that sound like the fakes that it learnt.
    reals = [
        replace(file, label="real", method=None, is_held=True)
        for file in files
        if file.label == "fake"
    ]
    unseen = write_voice_corpus(tmp_path, reals, corpus="unseen", seed=6)
    output = tmp_path / "calibrated"
    calibrate_voice_bundle(
        result.bundle, snapshots=[snapshot], output=output, unseen=[unseen], max_false_alarm=0.0
    )
    judgement = load_voice_bundle(output).spec.judgement
    (counted,) = judgement.unseen
    assert (counted.num_real, counted.num_fake) == (10, 0)
    assert counted.reals_called_fake == 0
    assert judgement.thresholds.fake_from > 0.9
    assert judgement.sentence_on_unseen("voices") is None


def test_a_run_resumes_where_it_ended(snapshot: Snapshot, tmp_path: Path) -> None:
    def train(epochs: int, *, resume: bool, config: VoiceTrainConfig = _CONFIG) -> TrainResult:
        return train_voice_detector(
            snapshots=[snapshot],
            config=config.model_copy(update={"epochs": epochs, "windows_per_epoch": 32}),
            run_dir=tmp_path / "run",
            name="resumed",
            device="cpu",
            num_workers=0,
            resume=resume,
            show_progress=False,
        )

    assert train(1, resume=False).num_epochs == 1
    with pytest.raises(ConfigError, match="exists already"):
        train(2, resume=False)
    with pytest.raises(ConfigError, match="other settings of copy_share"):
        train(2, resume=True, config=_CONFIG.model_copy(update={"copy_share": 0.7}))
    assert train(2, resume=True).num_epochs == 2
    lines = read_metrics_file(tmp_path / "run" / "metrics.jsonl")
    epochs = [line["epoch"] for line in lines if line["name"] == "train_loss"]
    assert epochs == [0, 1]


def test_training_begins_with_the_weights_of_a_detector(
    result: TrainResult, snapshot: Snapshot, tmp_path: Path
) -> None:
    def train(run: str, *, resume: bool = False, **changes: object) -> TrainResult:
        brief = {"epochs": 1, "windows_per_epoch": 16, "learning_rate": 1e-6}
        return train_voice_detector(
            snapshots=[snapshot],
            config=_CONFIG.model_copy(update={**brief, **changes}),
            run_dir=tmp_path / run,
            name="continued",
            device="cpu",
            num_workers=0,
            resume=resume,
            show_progress=False,
        )

    begins = {"pretrained": str(result.bundle)}
    continued = train("continued", **begins)
    bundle, before = load_voice_bundle(continued.bundle), load_voice_bundle(result.bundle)
    assert continued.pretrained_source == f"detector tried ({before.digest})"
    assert bundle.spec.pretrained_source == continued.pretrained_source
    weights, old = bundle.state_dict(), before.state_dict()
    gaps = [float((weights[k] - old[k]).abs().max()) for k in old if k.endswith("weight")]
    assert 0 < max(gaps) < 1e-3, "trained on from there, and in training mode"
    found = evaluate_voice(snapshot, continued.bundle, "test")
    assert found.auc is not None and found.auc > 0.9
    resumed = train("continued", resume=True, **begins, epochs=2)
    assert resumed.num_epochs == 2
    assert resumed.pretrained_source == continued.pretrained_source
    with pytest.raises(ConfigError, match="aasist cannot begin with the weights of tried"):
        train("other", **begins, architecture="aasist")
    with pytest.raises(ConfigError, match="no detector of voices to begin with"):
        train("absent", pretrained=str(tmp_path / "absent"))
    assert not (tmp_path / "absent").exists() and not (tmp_path / "other").exists()


def test_reals_alone_need_copies(tmp_path: Path) -> None:
    reals = [VoiceFile(f"{n}.flac", "real", "train") for n in range(20)]
    snapshot = write_voice_corpus(tmp_path, reals)

    def train(share: float) -> TrainResult:
        config = _CONFIG.model_copy(
            update={"copy_share": share, "epochs": 1, "windows_per_epoch": 16}
        )
        return train_voice_detector(
            snapshots=[snapshot],
            config=config,
            run_dir=tmp_path / "run",
            name="copies",
            device="cpu",
            num_workers=0,
            show_progress=False,
        )

    with pytest.raises(DataError, match="fake and real in the split `train`"):
        train(0.5)
    result = train(1.0)
    assert any("last epoch" in note for note in result.notes)
    judgement = load_voice_bundle(result.bundle).spec.judgement
    assert not judgement.calibration.is_fitted
    assert "not calibrated" in judgement.notes[0]
    assert result.metrics["num_train_fake"] == 0
