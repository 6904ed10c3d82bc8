"""All networks that have a name of their own here give PyTorch's logits in OpenVINO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepfake.detectors.inference import load_detector
from tests.sample_data import clip_frames


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        "tf_efficientnet_lite0",
        "efficientnet_b0",
        "resnet50",
        "legacy_xception",
        "vit_tiny_patch16_224",
    ],
)
def test_openvino_gives_the_logits_of_pytorch(
    model: str, tmp_path: Path, bundle_writer: Callable[..., Path]
) -> None:
    bundle = bundle_writer(tmp_path / "bundle", model=model)
    crops = clip_frames(6, seed=4)
    expected = load_detector(bundle, device="cpu", backend="torch").logits(crops)
    found = load_detector(bundle, device="cpu", backend="openvino").logits(crops)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
