"""OpenVINO's networks compared with PyTorch's, with the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.config import FaceConfig
from deepfake.errors import FaceError
from deepfake.extract.faces import MtcnnDetector
from deepfake.extract.faces.networks import Networks, create_networks
from tests.sample_data import astronaut


@pytest.fixture(scope="module")
def pair() -> tuple[Networks, Networks]:
    """Return the networks in OpenVINO and in PyTorch."""
    return create_networks("openvino"), create_networks("torch")


@pytest.mark.parametrize("shape", [(12, 12), (13, 20), (27, 49), (150, 267)])
def test_proposals_agree_at_every_size(
    pair: tuple[Networks, Networks], shape: tuple[int, int]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for ours, reference in zip(*(networks.pnet(picture) for networks in pair), strict=True):
        np.testing.assert_allclose(ours, reference, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 64])
@pytest.mark.parametrize(("name", "side"), [("rnet", 24), ("onet", 48)])
def test_candidates_agree_in_every_number(
    pair: tuple[Networks, Networks], name: str, side: int, count: int
) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    for ours, reference in zip(*(getattr(n, name)(crops) for n in pair), strict=True):
        assert ours.shape == reference.shape
        np.testing.assert_allclose(ours, reference, atol=1e-5)


def test_a_candidate_does_not_depend_on_its_neighbours(pair: tuple[Networks, Networks]) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (9, 48, 48, 3), dtype=np.uint8)
    together = pair[0].onet(crops)
    alone = pair[0].onet(crops[4:5])
    for all_of_them, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(all_of_them[4:5], one, atol=1e-6)


def test_both_backends_find_the_same_face() -> None:
    pixels = astronaut()
    (ours,), (reference,) = (
        MtcnnDetector(FaceConfig(), backend=backend).detect(pixels)
        for backend in ("openvino", "torch")
    )
    np.testing.assert_allclose(ours.bbox_xyxy, reference.bbox_xyxy, atol=0.01)
    np.testing.assert_allclose(ours.landmarks, reference.landmarks, atol=0.01)


def test_a_device_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(FaceError, match="cuda:7"):
        create_networks("torch", device="cuda:7")
