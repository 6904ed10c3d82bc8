"""Two heads on one network: what each is asked, what is mixed, frozen, averaged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepfake.config import AugmentConfig, TrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import load_detector
from deepfake.detectors.models import create_model, freeze_stages
from deepfake.errors import ModelError
from deepfake.training import TrainResult, select_crops, train_detector
from deepfake.training.data import collect_crops
from deepfake.training.lightning_module import DetectorModule, Validation
from deepfake.training.metrics_file import read_metrics_file
from deepfake.training.sam import SharpnessAware

CONFIG = TrainConfig(
    model="test_efficientnet",
    pretrained="none",
    input_size=64,
    epochs=2,
    batch_size=8,
    learning_rate=3e-3,
    method="two_headed",
    augment=AugmentConfig(is_enabled=False),
)
UNKNOWN = math.nan


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def snapshot(
    tmp_path_factory: pytest.TempPathFactory, corpus_writer: Any, file_plan: Any
) -> Snapshot:
    files = file_plan({"train": 40, "val": 100})
    written: Snapshot = corpus_writer(tmp_path_factory.mktemp("corpus"), files)
    return written


def train(snapshot: Snapshot, run_dir: Path, **changes: Any) -> TrainResult:
    return train_detector(
        snapshots=[snapshot],
        config=CONFIG.model_copy(update=changes),
        run_dir=run_dir,
        name="tried",
        device="cpu",
        num_workers=0,
        show_progress=False,
    )


def _module(**changes: Any) -> DetectorModule:
    config = CONFIG.model_copy(update=changes)
    return DetectorModule(torch.nn.Identity(), config=config, validations=(), num_crops=10)


def test_each_head_is_asked_what_it_can_know() -> None:
    # A blended pair of crop 3, a labelled pair of crops 4 and 5.
    labels, rows = torch.tensor([0.0, 1, 0, 1]), torch.tensor([3, 13, 4, 5])
    targets = _module()._targets(labels, rows)
    expected = [[0, UNKNOWN], [1, UNKNOWN], [0, 0], [UNKNOWN, 1]]
    np.testing.assert_array_equal(targets.numpy(), expected)


def test_one_head_is_asked_everything() -> None:
    labels = torch.tensor([0.0, 1, 0, 1])
    targets = _module(method="mixed")._targets(labels, torch.tensor([3, 13, 4, 5]))
    assert targets.tolist() == labels[:, None].tolist()


def test_only_labelled_pairs_are_mixed_and_by_the_share_that_is_their_target() -> None:
    torch.manual_seed(0)
    module = _module(mixup_p=1.0)
    inputs = torch.stack([torch.full((3, 2, 2), float(v)) for v in (0, 1, 0, 1)])
    labels, rows = torch.tensor([0.0, 1, 0, 1]), torch.tensor([3, 13, 4, 5])
    mixed, targets = module._mixed(inputs, module._targets(labels, rows), rows)
    share = float(targets[2, 1])
    assert 0 < share < 1
    assert float(mixed[2].mean()) == pytest.approx(share)
    assert torch.equal(mixed[[0, 1, 3]], inputs[[0, 1, 3]])
    assert math.isnan(targets[2, 0]), "half a labelled fake is no real to the head of blends"
    assert inputs[2].sum() == 0, "arguments are not changed"


def test_one_head_mixes_labelled_pairs_alone_too() -> None:
    torch.manual_seed(0)
    module = _module(method="mixed", mixup_p=1.0)
    inputs = torch.stack([torch.full((3, 2, 2), float(v)) for v in (0, 1, 0, 1)])
    labels, rows = torch.tensor([0.0, 1, 0, 1]), torch.tensor([3, 13, 4, 5])
    mixed, targets = module._mixed(inputs, module._targets(labels, rows), rows)
    assert torch.equal(mixed[:2], inputs[:2]), "a blended pair stays"
    assert targets[:2, 0].tolist() == [0.0, 1.0]
    assert 0 < float(targets[2, 0]) < 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "labels", "mixup_p": 0.3}, "mixup_p mixes pairs"),
        ({"method": "sbi", "mixup_p": 0.3}, "mixup_p mixes pairs"),
        ({"method": "two_headed", "sbi_share": 1.0}, "leaves one of two heads"),
        ({"sharpness_rho": 0.05, "precision": "16-mixed"}, "sharpness_rho needs"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**changes)


def test_run_ends_in_a_bundle_of_two_heads(snapshot: Snapshot, tmp_path: Path) -> None:
    result = train(snapshot, tmp_path / "run", weight_average=0.9, mixup_p=0.3)
    spec = load_bundle(result.bundle).spec
    assert [head.name for head in spec.heads] == ["blended", "generated"]
    assert spec.outputs == ("logit", "logit_blended", "logit_generated", "novelty")
    assert all(head.scale != 1.0 for head in spec.heads), "both were brought to one scale"
    assert spec.judgement["still"].calibration.is_fitted
    assert spec.judgement["still"].support.max_novelty is not None
    logged = {line["name"] for line in read_metrics_file(tmp_path / "run" / "metrics.jsonl")}
    assert {"val_auc", "val_blends_auc", "val_fused_auc"} <= logged
    crops = collect_crops([snapshot])
    from deepfake.training.data import CropDataset, InputSpec

    dataset = CropDataset(crops, spec=InputSpec(64, spec.mean, spec.std))
    said = load_detector(result.bundle, device="cpu").head_outputs([dataset.stored_pixels(0)])
    assert set(said) == set(spec.outputs)


class _Said(torch.nn.Module):
    """Says of each crop the two logits that its first two pixels hold."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs[:, 0, 0, :2]


def _combined_auc(is_sure: bool) -> dict[str, float]:
    """Validate heads that each know their own fakes, and are sure or silent about the other's."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 200)
    own = rng.normal(2 * labels, 1.0)
    other = rng.normal(0.0, 3.0 if is_sure else 0.1, size=400)
    said = {"val_blends": np.stack([own, other], 1), "val": np.stack([other, own], 1)}
    files = np.arange(400)
    heads = {"val_blends": "blended", "val": "generated"}
    module = DetectorModule(
        _Said(),
        config=CONFIG,
        validations=[Validation(name, labels, files, head=heads[name]) for name in said],
    )
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.update({name: float(value)})
    for number, logits in enumerate(said.values()):
        inputs = torch.from_numpy(logits).float()[:, None, None, :]
        batch = (inputs, torch.from_numpy(labels), torch.from_numpy(files))
        module.validation_step(batch, 0, number)
    module.on_validation_epoch_end()
    return logged


def test_checkpoint_is_chosen_by_what_is_scored_with() -> None:
    silent, sure = _combined_auc(is_sure=False), _combined_auc(is_sure=True)
    assert silent["val_auc"] == sure["val_auc"] == sure["val_blends_auc"]
    assert silent["val_fused_auc"] == pytest.approx(silent["val_auc"], abs=0.01)
    assert sure["val_fused_auc"] < sure["val_auc"] - 0.05, "each spoils what the other knows"


def test_the_weights_that_were_validated_are_those_that_are_kept(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    # A step as large as this keeps the weights of the moment far from their average.
    result = train(snapshot, tmp_path / "run", weight_average=0.9, learning_rate=0.03, epochs=3)
    state = load_bundle(result.bundle).state_dict()
    best = torch.load(tmp_path / "run/checkpoints/best.ckpt", map_location="cpu")
    averaged, moment = best["state_dict"], best["current_model_state"]
    name = "conv_stem.weight"
    assert torch.equal(state[name], averaged[f"network.{name}"])
    assert not torch.allclose(averaged[f"network.{name}"], moment[f"network.{name}"], atol=1e-3)


def test_frozen_stages_keep_their_weights_and_statistics(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    before = create_model("test_efficientnet", pretrained="none", num_heads=2).module
    path = tmp_path / "begin.pt"
    torch.save(before.state_dict(), path)
    result = train(snapshot, tmp_path / "run", pretrained=str(path), frozen_stages=1)
    after = load_bundle(result.bundle).state_dict()
    own = before.state_dict()
    frozen = [k for k in own if k.startswith(("conv_stem", "bn1", "blocks.0"))]
    learnt = [k for k in own if k.startswith("blocks.3") and own[k].is_floating_point()]
    assert all(torch.equal(own[k], after[k]) for k in frozen)
    assert not any(torch.equal(own[k], after[k]) for k in learnt)


def test_more_stages_than_there_are_cannot_be_frozen() -> None:
    module = create_model("test_efficientnet", pretrained="none").module
    assert freeze_stages(module, 0) == 0
    assert all(p.requires_grad for p in module.parameters())
    with pytest.raises(ModelError, match="5 stages, 6 cannot"):
        freeze_stages(module, 6)
    freeze_stages(module, 5)
    left = {name for name, p in module.named_parameters() if p.requires_grad}
    assert left == {"classifier.weight", "classifier.bias"}


def test_bystanders_of_fakes_are_not_learnt_from(
    tmp_path: Path, corpus_writer: Any, crop_file: Any
) -> None:
    snapshot = corpus_writer(
        tmp_path, [crop_file("r", "real", "train"), crop_file("f", "fake", "train")]
    )
    index = snapshot.index()
    second = index.assign(track_id=1, face_px=index["face_px"] / 2, crop_id=index["crop_id"] + "b")

    class Crowded:
        corpus, config, corpus_dir = snapshot.corpus, snapshot.config, snapshot.corpus_dir

        def index(self) -> Any:
            import pandas as pd

            return pd.concat([index, second], ignore_index=True)

    selection = select_crops([Crowded()], method="labels")  # type: ignore[list-item]
    assert sorted(selection.train["label"]) == ["fake", "real", "real"]
    assert any("(face crops left out of the training split: 1)" in n for n in selection.notes)


def test_sharpness_aware_step_uses_the_gradient_from_uphill() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 0.0]))
    optimizer = SharpnessAware(torch.optim.SGD([weight], lr=0.1), rho=0.5)
    seen = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        seen.append(weight.detach().clone())
        loss = (weight**2).sum() / 2
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert loss.item() == 0.5
    assert [w.tolist() for w in seen] == [[1.0, 0.0], [1.5, 0.0]]
    assert weight.tolist() == pytest.approx([0.85, 0.0])


def test_a_run_with_sharpness_awareness_learns(snapshot: Snapshot, tmp_path: Path) -> None:
    result = train(snapshot, tmp_path / "run", sharpness_rho=0.05, method="labels", epochs=3)
    assert result.metrics["val_auc"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("budget", ["max_minutes", "max_cpu_minutes"])
def test_training_stops_after_its_minutes(snapshot: Snapshot, tmp_path: Path, budget: str) -> None:
    limits = {budget: 0.02}
    result = train(snapshot, tmp_path / "run", epochs=1000, method="labels", **limits)
    assert result.num_epochs < 1000
    assert result.seconds < 60
