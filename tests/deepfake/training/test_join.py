"""Detectors that are joined keep their own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepfake.config import TrainConfig
from deepfake.detectors.bundles import Bundle, HeadSpec, load_bundle, save_bundle
from deepfake.detectors.inference import export_onnx, load_detector
from deepfake.detectors.inference.outputs import NOVELTY_PREFIX
from deepfake.detectors.models import create_model
from deepfake.errors import ConfigError
from deepfake.evidence.heat_maps import HeatMapper
from deepfake.training.join import join_bundles
from deepfake.verdicts.calibration import Calibration
from tests.untrained_detector import write_bundle

_ARCHITECTURE = "test_efficientnet"
_SIZE = 64


def _bundle(folder: Path, *, method: Any, seed: int, **changes: Any) -> Path:
    """Write a detector with weights of its own and a novelty of two classes."""
    plain = load_bundle(
        write_bundle(folder.with_name(f"{folder.name}-plain"), model=_ARCHITECTURE, size=_SIZE)
    )
    rng = torch.Generator().manual_seed(seed)
    state = plain.state_dict()
    weight = state["classifier.weight"]
    state["classifier.weight"] = torch.randn(weight.shape, generator=rng)
    channels = weight.shape[1]
    state[f"{NOVELTY_PREFIX}projection"] = torch.randn(channels, 3, generator=rng)
    state[f"{NOVELTY_PREFIX}means"] = torch.randn(2, 3, generator=rng)
    spec = plain.spec.model_copy(
        update={
            "train_config": TrainConfig(method=method),
            "has_novelty": True,
            "data_digests": {f"corpus-{seed}": "0"},
            **changes,
        }
    )
    return save_bundle(folder, state_dict=state, spec=spec)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parts")
    return (
        _bundle(folder / "blends", method="sbi", seed=1, name="blends", notes=("It saw blends.",)),
        _bundle(folder / "labels", method="labels", seed=2),
    )


@pytest.fixture(scope="module")
def joint(parts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    output = tmp_path_factory.mktemp("joint") / "bundle"
    return load_bundle(join_bundles(parts, output, name="joint"))


def _outputs(folder: Path, backend: Any = "torch") -> dict[str, np.ndarray]:
    return load_detector(folder, device="cpu", backend=backend).head_outputs(_pictures())


def _pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (5, _SIZE, _SIZE, 3), dtype=np.uint8))


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_each_head_of_a_joint_detector_gives_the_logit_of_its_own(
    parts: tuple[Path, Path], joint: Bundle, backend: Any
) -> None:
    alone = [_outputs(folder) for folder in parts]
    found = _outputs(joint.path, backend=backend)
    assert list(found) == ["logit", "logit_blended", "logit_generated", "novelty"]
    assert np.std(alone[0]["logit"] - alone[1]["logit"]) > 0.01
    np.testing.assert_allclose(found["logit_blended"], alone[0]["logit"], atol=1e-3)
    np.testing.assert_allclose(found["logit_generated"], alone[1]["logit"], atol=1e-3)


def test_novelty_of_a_joint_detector_lies_between_those_of_its_networks(
    parts: tuple[Path, Path], joint: Bundle
) -> None:
    alone = [_outputs(folder) for folder in parts]
    found = _outputs(joint.path)
    # The class that is nearest for both together is no nearer than each network's own nearest.
    least = np.sqrt((alone[0]["novelty"] ** 2 + alone[1]["novelty"] ** 2) / 2)
    assert (found["novelty"] >= least - 1e-3).all()
    assert np.isfinite(found["novelty"]).all()


def test_description_names_what_was_joined(parts: tuple[Path, Path], joint: Bundle) -> None:
    spec = joint.spec
    assert spec.architecture == f"{_ARCHITECTURE}+{_ARCHITECTURE}"
    assert [(h.name, h.learns_from) for h in spec.heads] == [
        ("blended", "self_blended"),
        ("generated", "labelled"),
    ]
    assert [one.digest for one in spec.joined] == [load_bundle(p).digest for p in parts]
    assert set(spec.data_digests) == {"corpus-1", "corpus-2"}
    assert not spec.judgement["still"].calibration.is_fitted


def test_notes_say_which_network_they_are_on(joint: Bundle) -> None:
    assert joint.spec.all_notes == ("Of its network blends: It saw blends.",)
    # As earlier versions joined: the notes of all networks, and nothing says whose they are.
    earlier = joint.spec.model_copy(update={"notes": ("It saw blends.",)})
    assert earlier.all_notes[0] == "Of one of its networks: It saw blends."


def test_heat_map_of_a_joint_detector_is_of_all_its_networks(joint: Bundle) -> None:
    mapper = HeatMapper(joint)
    (found,) = mapper.maps(mapper.squares(_pictures()[:1]), calibration=Calibration())
    assert found.values.max() == pytest.approx(1.0)


def test_joint_detector_is_exported(joint: Bundle, tmp_path: Path) -> None:
    written = export_onnx(joint.path, tmp_path / "joint.onnx")
    assert written.max_difference < 0.01
    assert "logit_generated" in written.metadata["output"]


def test_detectors_of_other_crops_are_not_joined(parts: tuple[Path, Path], tmp_path: Path) -> None:
    spec = load_bundle(parts[0]).spec
    other = _bundle(
        tmp_path / "other",
        method="labels",
        seed=3,
        crop=spec.crop.model_copy(update={"edge": "inside"}),
    )
    with pytest.raises(ConfigError, match="differ in crop"):
        join_bundles([parts[0], other], tmp_path / "out", name="x")
    assert not (tmp_path / "out").exists()


def test_joint_detector_is_not_joined_again(
    joint: Bundle, parts: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="joint detector already"):
        join_bundles([joint.path, parts[0]], tmp_path / "out", name="x")


def test_networks_of_other_sizes_and_heads_are_shown_the_same_crops(
    parts: tuple[Path, Path], tmp_path: Path
) -> None:
    two_headed = _two_headed(tmp_path / "two", size=32, edge="inside")
    with pytest.raises(ConfigError, match="differ in crop"):
        join_bundles([parts[0], two_headed], tmp_path / "out", name="x")
    join_bundles([parts[0], two_headed], tmp_path / "out", name="x", as_first=True)
    joint = load_bundle(tmp_path / "out")
    assert joint.spec.input_size == _SIZE
    assert joint.spec.crop == load_bundle(parts[0]).spec.crop
    assert [h.name for h in joint.spec.heads] == ["blended", "blended_2", "generated"]
    found, alone = _outputs(joint.path), _outputs(parts[0])
    blended = (found["logit_blended"] + found["logit_blended_2"]) / 2
    either = np.logaddexp(blended, found["logit_generated"]) - np.log(2)
    np.testing.assert_allclose(found["logit"], either, atol=1e-3)
    np.testing.assert_allclose(found["logit_blended"], alone["logit"], atol=1e-3)
    # A flat picture is the same at any size.
    flat = [np.full((_SIZE, _SIZE, 3), level, np.uint8) for level in (40, 200)]
    small = load_detector(two_headed, device="cpu", backend="torch").head_outputs(flat)
    shown = load_detector(joint.path, device="cpu", backend="torch").head_outputs(flat)
    np.testing.assert_allclose(shown["logit_generated"], small["logit_generated"], atol=1e-3)
    assert np.ptp(small["logit_generated"]) > 1e-3
    mapper = HeatMapper(joint)
    maps = mapper.maps(mapper.squares(_pictures()), calibration=Calibration())
    assert max(one.values.max() for one in maps) == pytest.approx(1.0)


def _two_headed(folder: Path, *, size: int, edge: Any) -> Path:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        created = create_model(_ARCHITECTURE, pretrained="none", input_size=size, num_heads=2)
        created.module.get_classifier().weight.mul_(300)  # type: ignore[operator]
    start = folder.with_name("start")
    spec = load_bundle(write_bundle(start, model=_ARCHITECTURE, size=size)).spec
    heads = (
        HeadSpec(name="blended", learns_from="self_blended"),
        HeadSpec(name="generated", learns_from="labelled"),
    )
    update = {
        "heads": heads,
        "crop": spec.crop.model_copy(update={"edge": edge}),
        "train_config": TrainConfig(method="two_headed"),
    }
    return save_bundle(
        folder, state_dict=created.module.state_dict(), spec=spec.model_copy(update=update)
    )
