"""A trained bundle and labelled files to a bundle whose answers can be read.

One half of `val` chooses how heads and crops become a file's logit, the other fits probability,
thresholds and the bounds of what they hold for. Everything is computed as scoring computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from deepfake.aggregation import FileScore, aggregate_by_uri
from deepfake.blending import self_blend
from deepfake.bundles import DetectorSpec, HeadSpec, load_bundle, save_bundle
from deepfake.calibration import (
    MIN_PER_CLASS,
    Calibration,
    Support,
    Thresholds,
    choose_thresholds,
    fit_support,
    fit_temperature,
)
from deepfake.config import AggregationConfig
from deepfake.datasets import has_usable_landmarks, labels_of, landmarks_of
from deepfake.errors import DataError
from deepfake.inference import Detector, load_detector
from deepfake.media import decode_crop
from deepfake.metrics import binary_metrics
from deepfake.predicting import predict_crops
from deepfake.shards import Snapshot
from deepfake.splits import halve_by_group
from deepfake.types import Kind, Label, Split

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "CalibrationSummary",
    "calibrate_bundle",
    "candidate_name",
    "crowds_of",
    "scale_heads",
]

_NAMES = {Kind.IMAGE: "still", Kind.VIDEO: "video"}
_REPORTED = ("n", "n_real", "n_fake", "auc", "log_loss", "brier", "ece")
_KEYS = ["corpus", "uri"]

_MIN_VIDEO_FRAMES = 3
"""Frames of a video that have to show the face that decides."""

_SHARES = (0.0, 0.5)
"""How much smaller than the largest a face that speaks may be; see `AggregationConfig`."""

_CLEAR_GAIN = 0.003
"""A way of adding up replaces the present one only if its AUC is higher by more than this."""

_BYSTANDERS = 2
"""Real people put beside those of a file, to see what more people do."""

_Metrics = dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """What calibrating a bundle found.

    Attributes:
        bundle: Folder of the calibrated bundle.
        metrics: Of both halves of `val`, their names prefixed by `val_choosing_` and
            `val_calibration_` and the kind.
        notes: What a reader must know, a sentence each.
    """

    bundle: Path
    metrics: _Metrics
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What one kind of file gave."""

    calibration: Calibration
    thresholds: Thresholds
    support: Support
    metrics: _Metrics
    notes: tuple[str, ...]


def calibrate_bundle(
    folder: Path,
    *,
    snapshots: Sequence[Snapshot],
    output: Path,
    prior: float = 0.5,
    device: str = "auto",
    cache: Path | None = None,
    is_halved: bool = False,
    on_done: Callable[[int], None] = lambda _: None,
) -> CalibrationSummary:
    """Calibrate a bundle on the `val` parts of corpora, and write it.

    Args:
        folder: The bundle.
        snapshots: One a corpus; their crops were made as the bundle's are.
        output: Where the calibrated bundle goes; may be `folder`.
        prior: Share of fakes that probabilities shall hold for.
        device: Where the network computes.
        cache: Where networks converted for the CPU are kept.
        is_halved: Store weights in half precision; computing stays what it is.
        on_done: Called with the number of crops done.

    Returns:
        Where it lies and what was found. A kind without enough files of both classes stays
        uncalibrated, and a note says so.

    Raises:
        BundleError: It is no bundle, or something else lies at `output`.
        ConfigError: The crops of a corpus were made otherwise.
    """
    bundle = load_bundle(folder)
    state = bundle.state_dict()
    if is_halved:
        # Calibrated is what is kept: the rounded weights go to their place first.
        state = {name: _halved(tensor) for name, tensor in state.items()}
        folder = save_bundle(output, state_dict=state, spec=bundle.spec, overwrite=True)
    detector = load_detector(folder, device=device, cache=cache)
    crops = _predicted(detector, snapshots, on_done=on_done)
    is_choosing = halve_by_group(crops["half_group"].tolist())
    heads = bundle.spec.heads
    if len(heads) > 1:
        blends = _blends_of(detector, snapshots, crops[is_choosing])
        stills = crops[is_choosing & (crops["kind"] == str(Kind.IMAGE)).to_numpy()]
        heads = scale_heads(heads, stills, blends)
    crops = crops.assign(logit=_joined(crops, heads=heads))
    choosing, calibrating = crops[is_choosing], crops[~is_choosing]
    aggregation, compared = _choose_aggregation(choosing, current=bundle.spec.aggregation)
    fitted = {
        kind: _fit_kind(calibrating, kind=kind, aggregation=aggregation, prior=prior)
        for kind in Kind
    }
    metrics: _Metrics = {
        **compared,
        **{k: v for f in fitted.values() for k, v in f.metrics.items()},
    }
    notes = tuple(note for found in fitted.values() for note in found.notes)
    spec = _calibrated(
        bundle.spec, heads=heads, aggregation=aggregation, fitted=fitted, prior=prior
    )
    spec = spec.model_copy(
        update={
            "metrics": {**_without_old(bundle.spec.metrics), **metrics},
            "notes": (*_kept_notes(bundle.spec.notes), *notes),
            "calibration_digests": {s.corpus: s.digest for s in snapshots},
        }
    )
    save_bundle(output, state_dict=state, spec=spec, overwrite=True)
    return CalibrationSummary(output, metrics, notes)


def _halved(tensor: Tensor) -> Tensor:
    # Offsets, scales and statistics are few, and some are too large or too small.
    return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor


def _predicted(
    detector: Detector, snapshots: Sequence[Snapshot], *, on_done: Callable[[int], None]
) -> pd.DataFrame:
    """Return the labelled `val` crops of all snapshots with what the detector says of them."""
    parts, done = [], 0
    for snapshot in snapshots:
        index = snapshot.index()
        val = index[(index["split"] == str(Split.VAL)) & index["label"].notna()]
        parts.append(predict_crops(detector, snapshot, val, on_done=_after(done, on_done)))
        done += len(val)
    if not parts:
        raise DataError("calibrating needs at least one corpus")
    crops = pd.concat(parts, ignore_index=True)
    medium = "media:" + crops["media_id"].astype(str)
    return crops.assign(half_group=crops["group"].where(crops["group"].notna(), medium))


def _after(before: int, on_done: Callable[[int], None]) -> Callable[[int], None]:
    return lambda done: on_done(before + done)


def scale_heads(
    heads: Sequence[HeadSpec], crops: pd.DataFrame, blends: pd.DataFrame
) -> tuple[HeadSpec, ...]:
    """Return heads whose logits become log-odds of the fakes that each was taught, against reals.

    Args:
        heads: As they are; a single one, or one without enough of both classes, stays so.
        crops: With `label` and a column `logit_<name>` a head.
        blends: Self-blended reals, with the same columns.
    """
    if len(heads) == 1:
        return tuple(heads)
    reals = crops[crops["label"] == str(Label.REAL)]
    fakes = {"blended": blends, "generated": crops[crops["label"] == str(Label.FAKE)]}
    return tuple(_scaled(head, reals=reals, fakes=fakes[head.name]) for head in heads)


def _scaled(head: HeadSpec, *, reals: pd.DataFrame, fakes: pd.DataFrame) -> HeadSpec:
    if min(len(reals), len(fakes)) < MIN_PER_CLASS:
        return head
    column = f"logit_{head.name}"
    logits = np.concatenate([reals[column].to_numpy(), fakes[column].to_numpy()])
    labels = np.repeat([0, 1], [len(reals), len(fakes)])
    fitted = fit_temperature(logits, labels=labels)
    return HeadSpec(
        name=head.name, center=-fitted.bias * fitted.temperature, scale=fitted.temperature
    )


def _joined(crops: pd.DataFrame, *, heads: Sequence[HeadSpec]) -> NDArray[np.float64]:
    if len(heads) == 1:
        return crops["logit"].to_numpy(dtype=np.float64)
    odds = [(crops[f"logit_{h.name}"].to_numpy() - h.center) / h.scale for h in heads]
    return np.asarray(logsumexp(odds, axis=0) - np.log(len(heads)), dtype=np.float64)


def _blends_of(
    detector: Detector, snapshots: Sequence[Snapshot], crops: pd.DataFrame
) -> pd.DataFrame:
    """Return what the detector says of self-blended stills among some crops."""
    parts = [crops[:0]]
    reals = crops[(crops["label"] == str(Label.REAL)) & (crops["kind"] == str(Kind.IMAGE))]
    for snapshot in snapshots:
        own = reals[reals["corpus"] == snapshot.corpus]
        own = own[has_usable_landmarks(own, crop=snapshot.config.crop)]
        reader = snapshot.reader()
        config = detector.spec.train_config.self_blend
        pictures = [
            self_blend(
                decode_crop(reader.encoded(shard, int(row))),
                landmarks,
                rng=np.random.default_rng(number),
                config=config,
            )[1]
            for number, (shard, row, landmarks) in enumerate(
                zip(
                    own["shard"],
                    own["row"],
                    landmarks_of(own, crop=snapshot.config.crop),
                    strict=True,
                )
            )
        ]
        said = detector.evidence(pictures)
        parts.append(own.assign(**{k: v.astype(np.float64) for k, v in said.items()}))
    return pd.concat(parts, ignore_index=True)


def candidate_name(config: AggregationConfig) -> str:
    """Return the name of a way of adding up in metrics.

    Example:
        >>> candidate_name(AggregationConfig(video="max", min_face_share=0.5))
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


def _choose_aggregation(
    crops: pd.DataFrame, *, current: AggregationConfig
) -> tuple[AggregationConfig, _Metrics]:
    """Compare all ways of adding up by the mean AUC over kinds, of files and of crowds."""
    sets: dict[str, pd.DataFrame] = {}
    for kind in Kind:
        own = crops[crops["kind"] == str(kind)]
        if _has_enough(own):
            sets[_NAMES[kind]] = own
            sets[f"{_NAMES[kind]}_crowd"] = crowds_of(own)
    if not sets:
        return current, {}
    metrics: _Metrics = {}
    means: dict[AggregationConfig, float] = {}
    for config in dict.fromkeys((current, *_candidates(current))):
        aucs = {name: _auc_of(own, config=config) for name, own in sets.items()}
        means[config] = float(np.mean(list(aucs.values())))
        name = candidate_name(config)
        metrics |= {f"val_choosing_{told}_auc_{name}": auc for told, auc in aucs.items()}
    best = max(means, key=lambda config: means[config])
    chosen = best if means[best] > means[current] + _CLEAR_GAIN else current
    return chosen, {**metrics, "val_choosing_aggregation": candidate_name(chosen)}


def crowds_of(crops: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return files in which other people, all real, stand beside those who are there.

    A way of adding up that averages people away, or that is alarmed by any of many, shows here.

    Args:
        crops: Of files of one kind.
        seed: Of who comes from where.
    """
    rng = np.random.default_rng(seed)
    groups = dict(iter(crops.groupby(_KEYS, sort=True)))
    reals = [rows for rows in groups.values() if rows["label"].iloc[0] == str(Label.REAL)]
    parts = []
    for (corpus, uri), rows in groups.items():
        others = [reals[at] for at in rng.integers(0, len(reals), size=_BYSTANDERS)]
        first = int(rows["track_id"].max()) + 1
        parts.append(rows)
        for number, other in enumerate(others):
            one = other[other["track_id"] == other["track_id"].min()]
            label = rows["label"].iloc[0]
            parts.append(one.assign(corpus=corpus, uri=uri, label=label, track_id=first + number))
    return pd.concat(parts, ignore_index=True)


def _auc_of(crops: pd.DataFrame, *, config: AggregationConfig) -> float:
    labels, scores = _file_scores(crops, aggregation=config)
    logits = np.array([score.logit for score in scores])
    auc = binary_metrics(labels, np.zeros(len(labels)), rank=logits).auc
    assert auc is not None
    return auc


def _file_scores(
    crops: pd.DataFrame, *, aggregation: AggregationConfig
) -> tuple[NDArray[np.float64], list[FileScore]]:
    files = crops.drop_duplicates(_KEYS)
    scores = aggregate_by_uri(crops, config=aggregation, keys=_KEYS)
    return labels_of(files), [
        scores[key] for key in files[_KEYS].itertuples(index=False, name=None)
    ]


def _counts(crops: pd.DataFrame) -> dict[str, int]:
    labels = crops.drop_duplicates(_KEYS)["label"]
    return {str(label): int((labels == str(label)).sum()) for label in Label}


def _has_enough(crops: pd.DataFrame) -> bool:
    return min(_counts(crops).values()) >= MIN_PER_CLASS


def _fit_kind(
    crops: pd.DataFrame, *, kind: Kind, aggregation: AggregationConfig, prior: float
) -> _Fitted:
    """Fit what one kind of file needs. Stills do not stand for videos."""
    own, name = crops[crops["kind"] == str(kind)], _NAMES[kind]
    min_frames = 1 if kind is Kind.IMAGE else _MIN_VIDEO_FRAMES
    if not _has_enough(own):
        counts = _counts(own)
        note = (
            f"Probabilities for {name}s are not calibrated: `val` has {counts['real']} real and "
            f"{counts['fake']} fake {name}s to do it with, {MIN_PER_CLASS} of each are needed."
        )
        return _Fitted(Calibration(prior=prior), Thresholds(), Support(), {}, (note,))
    labels, scores = _file_scores(own, aggregation=aggregation)
    logits = np.array([score.logit for score in scores])
    is_made = own["method"].astype(str).str.startswith("synthetic").any()
    calibration = fit_temperature(
        logits, labels=labels, fitted_on=f"synthetic {name}" if is_made else name, prior=prior
    )
    prob = calibration.prob(logits)
    values = binary_metrics(labels, prob, rank=logits)
    strongest = [score.strongest for score in scores]
    seen = {
        name: np.array([getattr(track, name) for track in strongest], dtype=np.float64)
        for name in ("face_px", "sharpness", "novelty")
    }
    note = (
        f"Probabilities for {name}s are calibrated on {name}s made by code out of stills: real "
        f"{name}s may be judged less well than stated."
    )
    return _Fitted(
        calibration=calibration,
        thresholds=choose_thresholds(prob, labels=labels),
        support=fit_support(
            face_px=seen["face_px"],
            sharpness=seen["sharpness"],
            novelty=seen["novelty"] if np.isfinite(seen["novelty"]).all() else None,
            min_frames=min_frames,
        ),
        metrics={f"val_calibration_{name}_{m}": getattr(values, m) for m in _REPORTED},
        notes=(note,) if is_made else (),
    )


def _calibrated(
    spec: DetectorSpec,
    *,
    heads: tuple[HeadSpec, ...],
    aggregation: AggregationConfig,
    fitted: dict[Kind, _Fitted],
    prior: float,
) -> DetectorSpec:
    still, video = fitted[Kind.IMAGE], fitted[Kind.VIDEO]
    return spec.model_copy(
        update={
            "heads": heads,
            "aggregation": aggregation,
            "calibration_still": still.calibration,
            "calibration_video": video.calibration,
            "thresholds_still": still.thresholds,
            "thresholds_video": video.thresholds,
            "support_still": still.support,
            "support_video": video.support,
            "prior": prior,
        }
    )


def _without_old(metrics: _Metrics) -> _Metrics:
    # What an earlier calibration found is not of this one.
    old = ("val_choosing_", "val_calibration_")
    return {name: value for name, value in metrics.items() if not name.startswith(old)}


def _kept_notes(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(note for note in notes if not note.startswith("Probabilities for "))
