"""Scale the heads of a network to log-odds, and combine them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import SelfBlendConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import HeadSpec
from deepfake.detectors.inference import GivesHeadOutputs
from deepfake.media import decode_crop
from deepfake.training.data import CropBlender, has_usable_landmarks
from deepfake.types import Kind, Label
from deepfake.verdicts.calibration import MIN_PER_CLASS, combine_heads, fit_temperature

__all__ = ["combined_logits", "predict_self_blends", "scale_heads"]


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


def combined_logits(crops: pd.DataFrame, *, heads: Sequence[HeadSpec]) -> NDArray[np.float64]:
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
    detector: GivesHeadOutputs[NDArray[np.uint8]],
    snapshots: Sequence[Snapshot],
    crops: pd.DataFrame,
    *,
    config: SelfBlendConfig | None = None,
) -> pd.DataFrame:
    """Return a detector's head outputs for self-blended stills.

    Args:
        detector: The detector.
        snapshots: Of the corpora whose crops these are.
        crops: Labelled crops; reals of stills with usable landmarks are blended, once each.
        config: Of the blending; None for the settings that the detector was trained with.

    Returns:
        The rows that were blended, with the detector's columns, float64.
    """
    blend = config or detector.spec.train_config.self_blend
    parts = [crops[:0]]
    reals = crops[(crops["label"] == str(Label.REAL)) & (crops["kind"] == str(Kind.IMAGE))]
    for snapshot in snapshots:
        own = reals[reals["corpus"] == snapshot.corpus]
        own = own[has_usable_landmarks(own, crop=snapshot.config.crop)]
        blender = CropBlender(
            own.assign(corpus_dir=str(snapshot.corpus_dir)),
            crop=snapshot.config.crop,
            config=blend,
        )
        reader = snapshot.reader()
        pictures = [
            blender.blend(
                decode_crop(reader.encoded(shard, int(row))),
                number,
                rng=np.random.default_rng(number),
            )[1]
            for number, (shard, row) in enumerate(zip(own["shard"], own["row"], strict=True))
        ]
        outputs = detector.head_outputs(pictures)
        parts.append(own.assign(**{k: v.astype(np.float64) for k, v in outputs.items()}))
    return pd.concat(parts, ignore_index=True)
