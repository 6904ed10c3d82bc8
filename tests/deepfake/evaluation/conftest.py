"""Predictions with known properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from deepfake.config import AggregationConfig
from deepfake.evaluation import EvaluationResult, evaluate_predictions
from deepfake.verdicts.judgement import JudgementSettings


@dataclass(frozen=True)
class Predictions:
    """What an evaluation takes."""

    crops: pd.DataFrame
    outcomes: pd.DataFrame

    def __add__(self, other: Predictions) -> Predictions:
        return Predictions(
            pd.concat([self.crops, other.crops], ignore_index=True),
            pd.concat([self.outcomes, other.outcomes], ignore_index=True),
        )

    def evaluate(self, **changes: object) -> EvaluationResult:
        """Return the evaluation, uncalibrated unless `changes` say otherwise."""
        settings = {
            "aggregation": AggregationConfig(),
            "judgement": {"still": JudgementSettings(), "video": JudgementSettings()},
        } | changes
        return evaluate_predictions(crops=self.crops, outcomes=self.outcomes, **settings)  # type: ignore[arg-type]


def make(
    n: int = 60,
    *,
    corpus: str = "set",
    kind: str = "video",
    frames: int = 3,
    shift: float = 2.0,
    size_shift: float = 0.0,
    size_weight: float = 0.0,
    labels: tuple[str, ...] = ("real", "fake"),
    seed: int = 0,
) -> Predictions:
    """Return `n` files a label whose logits tell the labels apart by `shift`.

    `size_shift` makes the faces of fakes larger (in standard deviations), `size_weight` is how much
    of the logit is read off that size.
    """
    rng = np.random.default_rng(seed)
    crops, outcomes = [], []
    for label in labels:
        for i in range(n):
            is_fake = label == "fake"
            uri = f"/data/{corpus}/{label}/{i:04d}.mp4"
            size = rng.normal() + size_shift * is_fake
            base = rng.normal() + shift * (is_fake - 0.5) + size_weight * (size - size_shift / 2)
            sharpness = float(np.exp(3 + rng.normal()))
            keys = {"uri": uri, "media_id": f"{corpus}-{label}-{i}", "corpus": corpus, "kind": kind}
            outcomes.append(
                keys
                | {
                    "label": label,
                    "method": ("swap" if i % 2 else "reenact") if is_fake else "original",
                    "group": f"{corpus}-{i}",
                    "original": f"{i:04d}",
                    "split": "test",
                    "status": "ok",
                    "is_partial": False,
                }
            )
            crops.extend(
                keys
                | {
                    "frame_index": f,
                    "pts_seconds": f / 2,
                    "track_id": 0,
                    "face_px": float(np.exp(4.5 + 0.4 * size)),
                    "sharpness": sharpness,
                    "brightness": 120.0,
                    "logit": base + 0.1 * rng.normal(),
                }
                for f in range(frames)
            )
    return Predictions(pd.DataFrame(crops), pd.DataFrame(outcomes))


@pytest.fixture
def predictions() -> Callable[..., Predictions]:
    """Return the maker of predictions."""
    return make
