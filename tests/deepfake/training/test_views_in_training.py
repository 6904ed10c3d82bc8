"""Trainings that are shown squares out of wider crops, and that predict the boundary of blends."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from deepfake.config import (
    AugmentConfig,
    CropConfig,
    SelfBlendConfig,
    TrainConfig,
    ViewConfig,
    digest_of,
)
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import load_detector
from deepfake.detectors.models import create_model
from deepfake.errors import ConfigError
from deepfake.evaluation.predict import predict_crops
from deepfake.training import TrainResult, train_detector
from deepfake.training.boundary_map import BoundaryMap, find_map_features
from deepfake.training.calibrate import calibrate_bundle
from deepfake.training.data import InputSpec, collect_crops, pair_loader
from deepfake.training.recipes import load_recipe
from tests.deepfake.training.face_crops import face_pictures, write_faces

WIDE = CropConfig(size=160, margin=2.2, edge="inside")
VIEW = ViewConfig(size=80, min_px=48)
LAST = AugmentConfig(resize="last", crop_scale=(1.0, 1.0))
CONFIG = TrainConfig(
    model="test_efficientnet",
    pretrained="none",
    input_size=64,
    epochs=2,
    batch_size=4,
    learning_rate=3e-3,
    method="sbi",
    map_weight=0.5,
    warmup_steps=2,
    schedule="half_linear",
    view=VIEW,
    augment=LAST,
)


def train(snapshot: Snapshot, run_dir: Path, **changes: Any) -> TrainResult:
    options: dict[str, Any] = {
        "config": CONFIG,
        "name": "tried",
        "device": "cpu",
        "num_workers": 0,
        "show_progress": False,
    }
    return train_detector(snapshots=[snapshot], run_dir=run_dir, **{**options, **changes})


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    pictures = face_pictures({"train": 6, "val": 24}, labels=("real", "fake"))
    return write_faces(tmp_path_factory.mktemp("wide"), pictures, crop=WIDE)


@pytest.fixture(scope="module")
def finished(wide: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(wide, tmp_path_factory.mktemp("runs") / "run")


def checkpoint_of(result: TrainResult) -> dict[str, Any]:
    path = result.run_dir / "checkpoints" / "last.ckpt"
    state: dict[str, Any] = torch.load(path, weights_only=False)["state_dict"]
    return state


def test_map_is_trained_and_is_no_part_of_the_detector(finished: TrainResult) -> None:
    state = checkpoint_of(finished)
    assert state["boundary.convolution.weight"].abs().max() > 0
    assert state["boundary.convolution.bias"] != -3.0
    kept = load_bundle(finished.bundle).state_dict()
    assert not [name for name in kept if "boundary" in name or "convolution" in name]
    assert 0 < float(finished.metrics["train_map_loss"] or 0) < 1


def test_detector_takes_crops_of_the_ordinary_margin(
    finished: TrainResult, wide: Snapshot, tmp_path: Path
) -> None:
    spec = load_bundle(finished.bundle).spec
    assert spec.crop == CropConfig(size=80, margin=1.3, edge="inside")
    assert any("--margin 1.3" in note for note in spec.notes)
    detector = load_detector(finished.bundle, device="cpu", backend="torch")
    with pytest.raises(ConfigError, match="the detector takes"):
        predict_crops(detector, wide, wide.index())
    pictures = face_pictures({"train": 6, "val": 24}, labels=("real", "fake"))
    ordinary = write_faces(tmp_path, pictures, crop=spec.crop)
    scored = predict_crops(detector, ordinary, ordinary.index())
    assert np.isfinite(scored["logit"]).all()
    summary = calibrate_bundle(
        finished.bundle, snapshots=[ordinary], output=tmp_path / "calibrated", device="cpu"
    )
    again = load_bundle(summary.bundle).spec
    assert again.calibration_digests == {"faces": ordinary.digest}
    assert again.crop == spec.crop


def test_interrupted_run_ends_as_an_undisturbed_one(
    wide: Snapshot, finished: TrainResult, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    class Stop(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            if trainer.current_epoch == 1:
                raise StopError

    with pytest.raises(StopError):
        train(wide, tmp_path / "run", callbacks=[Stop()])
    for changes in ({"view": None}, {"map_weight": 0.0}, {"warmup_steps": 0}):
        other = CONFIG.model_copy(update=changes)
        with pytest.raises(ConfigError, match=next(iter(changes))):
            train(wide, tmp_path / "run", config=other, resume=True)
    state = checkpoint_of(train(wide, tmp_path / "run", resume=True))
    expected = checkpoint_of(finished)
    assert state.keys() == expected.keys()
    gaps = [(state[k] - v).float().abs().mean() for k, v in expected.items() if v.ndim > 1]
    assert float(max(gaps)) < 5e-5


def test_crops_must_be_as_wide_as_what_is_drawn(tmp_path: Path) -> None:
    narrow = WIDE.model_copy(update={"margin": 1.8})
    snapshot = write_faces(tmp_path, face_pictures({"train": 2}), crop=narrow)
    with pytest.raises(ConfigError, match=r"stored with the margin 1\.8") as caught:
        train(snapshot, tmp_path / "run")
    assert "--face-size 160 --margin 2.2 --codec jpeg --edge inside" in str(caught.value.hint)
    assert not (tmp_path / "run").exists()


def test_mirrored_crops_are_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wide: Snapshot
) -> None:
    mirrored = WIDE.model_copy(update={"edge": "mirror"})
    plain = CONFIG.model_copy(update={"epochs": 1, "map_weight": 0.0})
    snapshot = write_faces(tmp_path, face_pictures({"train": 2}), crop=mirrored)
    with caplog.at_level(logging.WARNING, logger="deepfake"):
        train(snapshot, tmp_path / "run", config=plain)
        assert caplog.text.count("--edge mirror") == 1
        caplog.clear()
        train(wide, tmp_path / "other", config=plain)
    assert "mirror" not in caplog.text


def test_learning_rate_rises_stays_and_falls(wide: Snapshot, tmp_path: Path) -> None:
    rates: list[float] = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    config = CONFIG.model_copy(update={"epochs": 4, "warmup_steps": 3, "map_weight": 0.0})
    train(wide, tmp_path / "run", config=config, callbacks=[Watch()])
    assert len(rates) == 12
    shares = np.array(rates) / CONFIG.learning_rate
    np.testing.assert_allclose(shares[:4], [1 / 3, 2 / 3, 1, 1])
    np.testing.assert_allclose(shares[5:], np.minimum(1, (12 - np.arange(5, 12)) / 6))


def test_map_learns_where_something_was_blended_in(wide: Snapshot) -> None:
    torch.manual_seed(0)
    crops = collect_crops([wide])
    reals = crops[(crops["label"] == "real") & (crops["split"] == "train")].reset_index(drop=True)
    network = create_model("test_efficientnet", pretrained="none", input_size=64).module
    features = find_map_features(network, input_size=64)
    assert (features.channels, features.side) == (48, 4)
    loader = pair_loader(
        reals,
        spec=InputSpec(64, (0.5,) * 3, (0.25,) * 3),
        augment=AugmentConfig(is_enabled=False),
        blend=SelfBlendConfig(),
        crop=WIDE,
        batch_size=8,
        blended_share=1.0,
        frames_per_video=1,
        view=VIEW,
        map_side=features.side,
    )
    inputs, _, _, maps = next(iter(loader))
    head = BoundaryMap(features)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=1e-2)
    losses = []
    for _ in range(60):
        _, logits = head(network, inputs)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, maps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    mean = maps.mean()
    ignorant = float(-(mean * mean.log() + (1 - mean) * (1 - mean).log()))
    assert losses[-1] < 0.75 * ignorant
    found = torch.sigmoid(head(network, inputs)[1]).detach()
    assert np.corrcoef(found.numpy().ravel(), maps.numpy().ravel())[0, 1] > 0.7


def test_map_needs_features_of_stride_16() -> None:
    lite = create_model("tf_efficientnet_lite0", pretrained="none").module
    found = find_map_features(lite, input_size=224)
    assert (found.layer, found.channels, found.side) == ("blocks.4", 112, 14)
    assert lite.training
    tokens = create_model("test_vit", pretrained="none").module
    with pytest.raises(ConfigError, match="feature map of stride 16"):
        find_map_features(tokens, input_size=160)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "labels"}, "blends nothing"),
        ({"method": "mixed", "mixup_p": 0.5}, "does not go with mixup_p"),
        ({"augment": AugmentConfig()}, 'needs augment.resize = "last"'),
        ({"view": {"sides": (2.0, 1.0)}}, "ascending"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig.model_validate({**CONFIG.model_dump(), **changes})


def test_older_settings_are_written_as_before() -> None:
    plain = TrainConfig().model_dump(mode="json")
    assert not {"view", "map_weight", "warmup_steps"} & plain.keys()
    assert TrainConfig.model_validate(CONFIG.model_dump(mode="json")) == CONFIG
    assert digest_of(TrainConfig(view=ViewConfig())) != digest_of(TrainConfig())


def test_labelled_pairs_have_no_map_to_learn_from(wide: Snapshot, tmp_path: Path) -> None:
    changes = {"method": "mixed", "sbi_share": 0.0, "epochs": 1}
    result = train(wide, tmp_path / "run", config=CONFIG.model_copy(update=changes))
    found = float(result.metrics["train_map_loss"] or 0)
    # Reals have no boundary: a bias of -3 alone has a loss of log(1 + exp(-3)).
    assert 0 < found < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense_blends", "labels"])
def test_recipe_trains_a_detector(wide: Snapshot, tmp_path: Path, name: str) -> None:
    tiny = load_recipe(name).model_copy(
        update={
            "model": "test_efficientnet",
            "pretrained": "none",
            "input_size": 64,
            "epochs": 2,
            "batch_size": 4,
            "frozen_stages": 1,
        }
    )
    result = train(wide, tmp_path / "run", config=tiny)
    spec = load_bundle(result.bundle).spec
    assert spec.train_config == tiny
    assert spec.crop == CropConfig(size=256, margin=1.3, edge="inside")
    kept = list((wide.corpus_dir / "parts").glob("*.landmarks-*"))  # type: ignore[union-attr]
    assert bool(kept) or name == "labels"
