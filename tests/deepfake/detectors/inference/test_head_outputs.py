"""A network with several heads: one logit, the combination of the heads, and novelty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepfake.detectors.bundles import HeadSpec, load_bundle, save_bundle
from deepfake.detectors.inference import load_detector
from deepfake.detectors.inference.outputs import DetectorNetwork, Novelty, features_of
from deepfake.detectors.models import create_model
from deepfake.errors import BundleError, ModelError

HEADS = (
    HeadSpec(name="blended", center=1.0, scale=2.0),
    HeadSpec(name="generated", center=-3.0, scale=0.5),
)


class _Given(torch.nn.Module):
    """Gives its input's first two numbers as logits."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.flatten(1)[:, :2]


def test_odds_are_the_mean_of_the_heads_odds() -> None:
    network = DetectorNetwork(_Given(), heads=HEADS)
    inputs = torch.tensor([[5.0, -3.0, 0, 0], [1.0, -2.0, 0, 0], [201.0, -3.0, 0, 0]])
    found = network(inputs.reshape(3, 1, 2, 2))
    assert found[:, 1:].tolist() == inputs[:, :2].tolist()
    # Log-odds of 2 and 0, and of 0 and 2, have one mean; those of 100 do not overflow.
    expected = np.log((np.exp(2) + 1) / 2)
    assert found[:, 0].tolist() == pytest.approx([expected, expected, 100 - np.log(2)])


def test_a_single_head_is_the_logit() -> None:
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1))
    inputs = torch.tensor([[5.0, 9.0, 0, 0]]).reshape(1, 1, 2, 2)
    network = DetectorNetwork(linear, heads=(HeadSpec(),))
    assert torch.equal(network(inputs), linear(inputs))


def test_novelty_is_the_distance_to_the_nearer_class() -> None:
    novelty = Novelty(projection=torch.eye(2), means=torch.tensor([[0.0, 0.0], [10.0, 0.0]]))
    found = novelty(torch.tensor([[0.0, 0.0], [3.0, 4.0], [10.0, 2.0]]))
    assert found.tolist() == pytest.approx([0.0, np.sqrt(12.5), np.sqrt(2.0)])


@pytest.mark.parametrize(
    "name", ["test_efficientnet", "test_resnet", "test_vit", "legacy_xception", "resnet50"]
)
def test_networks_part_their_features_from_their_classifier(name: str) -> None:
    created = create_model(name, pretrained="none", num_heads=2)
    module = created.module.eval()
    inputs = torch.randn(2, 3, created.input_size, created.input_size)
    with torch.inference_mode():
        features = features_of(module, inputs)
        logits = module.get_classifier()(features)  # type: ignore[operator]
        np.testing.assert_allclose(logits, module(inputs), atol=1e-4)


def test_a_network_without_features_is_reported() -> None:
    with pytest.raises(ModelError, match="does not give its features"):
        features_of(_Given(), torch.zeros(1, 1, 2, 2))


@pytest.fixture
def two_headed(bundle_dir: Path, tmp_path: Path) -> Path:
    """Return a detector of two heads that tells how new a crop looks."""
    spec = load_bundle(bundle_dir).spec
    with torch.random.fork_rng():
        torch.manual_seed(1)
        created = create_model(spec.architecture, pretrained="none", input_size=64, num_heads=2)
        module = created.module
        with torch.no_grad():
            for _ in range(3):
                module.train()(torch.randn(4, 3, 64, 64))
            module.get_classifier().weight.mul_(30)  # type: ignore[operator]
        width = module.num_features
        tensors = {
            "novelty.projection": torch.randn(width, 8),
            "novelty.means": torch.randn(2, 8),
        }
    spec = spec.model_copy(update={"heads": HEADS, "has_novelty": True})
    state = {**module.state_dict(), **tensors}
    return save_bundle(tmp_path / "two", state_dict=state, spec=spec)


def test_openvino_says_what_pytorch_says(two_headed: Path, crops: list[NDArray[np.uint8]]) -> None:
    expected = load_detector(two_headed, device="cpu", backend="torch").head_outputs(crops[:8])
    found = load_detector(two_headed, device="cpu", backend="openvino").head_outputs(crops[:8])
    assert list(found) == ["logit", "logit_blended", "logit_generated", "novelty"]
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, err_msg=name)
    blended = (found["logit_blended"] - 1.0) / 2.0
    generated = (found["logit_generated"] + 3.0) / 0.5
    either = np.logaddexp(blended, generated) - np.log(2)
    np.testing.assert_allclose(found["logit"], either, atol=1e-4)
    assert found["novelty"].min() > 0
    assert np.ptp(found["novelty"]) > 0


def test_description_and_weights_must_agree_on_novelty(two_headed: Path, tmp_path: Path) -> None:
    bundle = load_bundle(two_headed)
    spec = bundle.spec.model_copy(update={"has_novelty": False})
    wrong = save_bundle(tmp_path / "wrong", state_dict=bundle.state_dict(), spec=spec)
    with pytest.raises(BundleError, match="differ on novelty"):
        load_detector(wrong, device="cpu", backend="torch")


def test_weights_of_another_number_of_heads_are_refused(two_headed: Path, tmp_path: Path) -> None:
    bundle = load_bundle(two_headed)
    spec = bundle.spec.model_copy(update={"heads": (HeadSpec(),)})
    wrong = save_bundle(tmp_path / "wrong", state_dict=bundle.state_dict(), spec=spec)
    with pytest.raises(BundleError, match="do not fit"):
        load_detector(wrong, device="cpu", backend="torch")
