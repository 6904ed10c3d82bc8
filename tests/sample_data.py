"""Media, corpora and detectors that are made for tests."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepfake import __version__
from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    MediaLimits,
    SamplingConfig,
    TrainConfig,
)
from deepfake.detectors.bundles import DetectorSpec, save_bundle
from deepfake.detectors.models import create_model
from deepfake.media import read_image, write_image, write_video
from deepfake.verdicts.judgement import JudgementSettings

__all__ = [
    "FACE_BOX",
    "Pixels",
    "astronaut",
    "clip_frames",
    "crowd",
    "face_close_up",
    "landscape",
    "make_corpus",
    "make_detector",
    "write_face_clip",
]

Pixels = NDArray[np.uint8]

FACE_BOX = (175.0, 60.0, 272.0, 178.0)
"""Where the astronaut's face is, give or take."""


def astronaut() -> Pixels:
    """Return scikit-image's astronaut (NASA, public domain), (512, 512, 3) RGB, or skip."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-image is not installed: pip install '.[demo]'")
    return read_image(
        Path(spec.origin).with_name("data") / "astronaut.png", limits=MediaLimits()
    ).pixels


def face_close_up(side: int = 256) -> Pixels:
    """Return the astronaut's head and shoulders, (side, side, 3)."""
    square = astronaut()[0:260, 100:360]
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def crowd(*, rows: int = 4, columns: int = 5, side: int = 160) -> Pixels:
    """Return one face many times over, in a grid."""
    return np.tile(face_close_up(side), (rows, columns, 1))


def landscape(side: int = 256) -> Pixels:
    """Return a picture without a face."""
    ramp = np.linspace(40, 200, side).astype(np.uint8)
    return np.dstack([np.tile(ramp[:, None], (1, side))] * 3)


def clip_frames(num_frames: int, *, seed: int = 0, side: int = 256) -> list[Pixels]:
    """Return a face that drifts through a noisy picture; each seed gives another clip."""
    rng = np.random.default_rng(seed)
    wide = cv2.copyMakeBorder(face_close_up(side), 24, 24, 24, 24, cv2.BORDER_REFLECT)
    gain = rng.uniform(0.8, 1.2)
    frames = []
    for step in range(num_frames):
        left, top = int(24 + 20 * np.sin(step / 9 + seed)), int(24 + 20 * np.cos(step / 7))
        view = wide[top : top + side, left : left + side] * gain
        noisy = view + rng.normal(0, 3, view.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


def write_face_clip(path: Path, *, seed: int = 0, num_frames: int = 24) -> Path:
    """Write a short clip of one face."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, clip_frames(num_frames, seed=seed), fps=25)


def make_corpus(folder: Path, *, clips: int = 2, stills: int = 2) -> Path:
    """Write a folder `{real,fake}`; the fakes are tinted reals, enough to tell files apart."""
    for number, label in enumerate(("real", "fake")):
        for i in range(clips):
            write_face_clip(folder / label / f"clip-{i}.mp4", seed=10 * i + number)
        for i in range(stills):
            frame = clip_frames(1, seed=100 + 10 * i + number)[0]
            (folder / label).mkdir(parents=True, exist_ok=True)
            write_image(folder / label / f"still-{i}.png", frame)
    return folder


def make_detector(folder: Path, *, name: str = "tried", num_frames: int = 8) -> Path:
    """Save an untrained detector with ImageNet's body, whose logits spread over some units."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        created = create_model("tf_efficientnet_lite0", pretrained="auto")
    state = dict(created.module.state_dict())
    # A new head's weights are tiny: without this all files would have nearly one logit.
    state["classifier.weight"] = state["classifier.weight"] * 30
    spec = DetectorSpec(
        name=name,
        architecture=created.architecture,
        input_size=created.input_size,
        mean=created.mean,
        std=created.std,
        crop=CropConfig(),
        faces=FaceConfig(),
        sampling=SamplingConfig(num_frames=num_frames),
        aggregation=AggregationConfig(),
        judgement={"still": JudgementSettings(), "video": JudgementSettings()},
        data_digests={},
        pretrained_source=created.pretrained_source,
        seed=0,
        code_version=__version__,
        created_at=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        train_config=TrainConfig(),
    )
    return save_bundle(folder, state_dict=state, spec=spec)
