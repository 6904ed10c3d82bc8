"""Choose the aggregation of crops and people by AUC on `val`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from deepfake.config import AggregationConfig
from deepfake.evaluation.metrics import binary_metrics
from deepfake.training.calibrate.file_scores import KEYS, file_scores, has_enough
from deepfake.types import PICTURE_KINDS, Label
from deepfake.verdicts.judgement import judgement_kind

__all__ = ["add_bystanders", "aggregation_name", "choose_aggregation"]

_SHARES = (0.0, 0.5)
"""The least size of a face that counts, over the largest; see `AggregationConfig`."""

_BYSTANDERS = 2
"""Real people added to those of a file, to measure the effect of more people."""


def aggregation_name(config: AggregationConfig) -> str:
    """Return the name of an aggregation in metrics.

    Example:
        >>> aggregation_name(AggregationConfig(video="max", min_face_share=0.5))
        'max_mean_from_half'
    """
    size = "_from_half" if config.min_face_share else ""
    return f"{config.video}_{config.track}{size}"


def _candidates(current: AggregationConfig) -> Iterator[AggregationConfig]:
    fields = AggregationConfig.model_fields
    videos, tracks = (get_args(fields[name].annotation) for name in ("video", "track"))
    for video, track, share in product(videos, tracks, _SHARES):
        if video == "max" and track != "mean":
            continue  # a single crop has no mean
        yield current.model_copy(update={"video": video, "track": track, "min_face_share": share})


def choose_aggregation(
    crops: pd.DataFrame, *, current: AggregationConfig
) -> tuple[AggregationConfig, dict[str, float | int | str | None]]:
    """Compare all aggregations by the mean AUC over kinds of files, with and without bystanders."""
    sets: dict[str, pd.DataFrame] = {}
    for kind in PICTURE_KINDS:
        own = crops[crops["kind"] == str(kind)]
        if has_enough(own):
            sets[judgement_kind(kind)] = own
            sets[f"{judgement_kind(kind)}_crowd"] = add_bystanders(own)
    if not sets:
        return current, {}
    metrics: dict[str, float | int | str | None] = {}
    means: dict[AggregationConfig, float] = {}
    for config in dict.fromkeys((current, *_candidates(current))):
        aucs = {name: _auc_of(own, config=config) for name, own in sets.items()}
        means[config] = float(np.mean(list(aucs.values())))
        name = aggregation_name(config)
        metrics |= {f"val_choosing_{files}_auc_{name}": auc for files, auc in aucs.items()}
    # Of equals the first: the present one.
    chosen = max(means, key=lambda config: means[config])
    return chosen, {**metrics, "val_choosing_aggregation": aggregation_name(chosen)}


def add_bystanders(
    crops: pd.DataFrame, *, bystanders: int = _BYSTANDERS, seed: int = 0
) -> pd.DataFrame:
    """Return the files with other people added to each, all real.

    An aggregation that averages people, or that raises an alarm for any of many, shows here.

    Args:
        crops: Of files of one kind.
        bystanders: People added to each file.
        seed: Of the choice of people.
    """
    rng = np.random.default_rng(seed)
    groups = dict(iter(crops.groupby(KEYS, sort=True)))
    reals = [rows for rows in groups.values() if rows["label"].iloc[0] == str(Label.REAL)]
    parts = []
    for (corpus, uri), rows in groups.items():
        others = [reals[at] for at in rng.integers(0, len(reals), size=bystanders)]
        first = int(rows["track_id"].max()) + 1
        parts.append(rows)
        for number, other in enumerate(others):
            one = other[other["track_id"] == other["track_id"].min()]
            label = rows["label"].iloc[0]
            parts.append(one.assign(corpus=corpus, uri=uri, label=label, track_id=first + number))
    return pd.concat(parts, ignore_index=True)


def _auc_of(crops: pd.DataFrame, *, config: AggregationConfig) -> float:
    labels, scores = file_scores(crops, aggregation=config)
    logits = np.array([score.logit for score in scores])
    auc = binary_metrics(labels, np.zeros(len(labels)), rank=logits).auc
    assert auc is not None
    return auc
