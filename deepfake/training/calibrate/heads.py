"""Scale the heads of a network to log-odds, and combine them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import SelfBlendConfig, ViewConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import HeadSpec
from deepfake.detectors.inference import HeadOutputModel
from deepfake.training.data import (
    CropBlender,
    CropDataset,
    InputSpec,
    PairDataset,
    PairDraw,
    evaluation_dataset,
    has_usable_landmarks,
)
from deepfake.types import Kind, Label
from deepfake.verdicts.calibration import MIN_PER_CLASS, combine_heads, fit_temperature

__all__ = ["combine_logits", "create_crop_reader", "predict_self_blends", "scale_heads"]


def scale_heads(
    heads: Sequence[HeadSpec], crops: pd.DataFrame, blends: pd.DataFrame
) -> tuple[HeadSpec, ...]:
    """Return heads scaled to log-odds of the fakes that each learns from, against reals.

    Args:
        heads: As they are; a single one, or one without enough of both classes, stays so.
        crops: With `label` and a column `logit_<name>` a head.
        blends: Self-blended reals, with the same columns.
    """
    if len(heads) == 1:
        return tuple(heads)
    reals = crops[crops["label"] == str(Label.REAL)]
    labelled = crops[crops["label"] == str(Label.FAKE)]
    fakes = {
        "self_blended": blends,
        "labelled": labelled,
        "any": pd.concat([blends, labelled], ignore_index=True),
    }
    return tuple(_scaled(head, reals=reals, fakes=fakes[head.learns_from]) for head in heads)


def _scaled(head: HeadSpec, *, reals: pd.DataFrame, fakes: pd.DataFrame) -> HeadSpec:
    if min(len(reals), len(fakes)) < MIN_PER_CLASS:
        return head
    column = f"logit_{head.name}"
    logits = np.concatenate([reals[column].to_numpy(), fakes[column].to_numpy()])
    labels = np.repeat([0, 1], [len(reals), len(fakes)])
    fitted = fit_temperature(logits, labels=labels)
    return head.model_copy(
        update={"center": -fitted.bias * fitted.temperature, "scale": fitted.temperature}
    )


def combine_logits(crops: pd.DataFrame, *, heads: Sequence[HeadSpec]) -> NDArray[np.float64]:
    """Return one logit a crop: that of the only head, or the scaled logits of all heads combined.

    Args:
        crops: Crops with the logit of each head.
        heads: The heads, with their centres and scales.
    """
    if len(heads) == 1:
        return crops["logit"].to_numpy(dtype=np.float64)
    return combine_heads(
        [
            (crops[f"logit_{head.name}"].to_numpy(dtype=np.float64) - head.center) / head.scale
            for head in heads
        ],
        questions=[head.question for head in heads],
    )


def predict_self_blends(
    detector: HeadOutputModel[NDArray[np.uint8]],
    snapshots: Sequence[Snapshot],
    crops: pd.DataFrame,
    *,
    config: SelfBlendConfig | None = None,
    view: ViewConfig | None = None,
) -> pd.DataFrame:
    """Return a detector's head outputs for self-blended stills.

    Args:
        detector: The detector.
        snapshots: Of the corpora whose crops these are.
        crops: Labelled crops; reals of stills with usable landmarks are blended, once each.
        config: Of the blending; None for the settings that the detector was trained with.
        view: What the detector takes out of crops that are wider; None where they are as it takes
            them.

    Returns:
        The rows that were blended, with the detector's columns, float64.
    """
    blend = config or detector.spec.train_config.self_blend
    parts = [crops[:0]]
    reals = crops[(crops["label"] == str(Label.REAL)) & (crops["kind"] == str(Kind.IMAGE))]
    for snapshot in snapshots:
        own = reals[reals["corpus"] == snapshot.corpus]
        own = own[has_usable_landmarks(own, crop=snapshot.config.crop)]
        dataset = _dataset(detector, snapshot, own, view=view)
        blender = CropBlender(
            own.assign(corpus_dir=str(snapshot.corpus_dir)),
            crop=snapshot.config.crop,
            config=blend,
            pixels_of=dataset.stored_pixels,
        )
        pairs = PairDataset(dataset, blender=blender)
        pictures = [
            dataset.resize_to_detector(pairs.pixels(PairDraw(row, None, row))[1])
            for row in range(len(own))
        ]
        outputs = detector.head_outputs(pictures)
        parts.append(own.assign(**{k: v.astype(np.float64) for k, v in outputs.items()}))
    return pd.concat(parts, ignore_index=True)


def create_crop_reader(
    detector: HeadOutputModel[NDArray[np.uint8]],
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    view: ViewConfig,
) -> Callable[[int], NDArray[np.uint8]]:
    """Return what gives the crop of a row as the detector takes it, out of wider ones.

    Args:
        detector: The detector.
        snapshot: Of the wider crops.
        index: Rows of its index.
        view: What the detector takes of them.
    """
    return _dataset(detector, snapshot, index, view=view).detector_crop


def _dataset(
    detector: HeadOutputModel[NDArray[np.uint8]],
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    view: ViewConfig | None,
) -> CropDataset:
    spec = detector.spec
    return evaluation_dataset(
        index.assign(corpus_dir=str(snapshot.corpus_dir)),
        spec=InputSpec(spec.input_size, mean=spec.mean, std=spec.std),
        crop=snapshot.config.crop,
        view=view,
    )
