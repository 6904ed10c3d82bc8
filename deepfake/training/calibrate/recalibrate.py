"""Calibrate a bundle: fit its heads, aggregation and judgement on `val`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from deepfake.config import ViewConfig
from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.detectors.bundles import load_bundle, save_bundle
from deepfake.detectors.inference import Detector, load_detector
from deepfake.errors import DataError
from deepfake.evaluation.predict import predict_crops
from deepfake.scoring.drift import write_reference
from deepfake.training.calibrate.choose_aggregation import choose_aggregation
from deepfake.training.calibrate.drift_reference import reference_of_crops
from deepfake.training.calibrate.file_scores import count_labels, has_enough
from deepfake.training.calibrate.fit_judgement import fit_judgement
from deepfake.training.calibrate.heads import (
    combine_logits,
    create_crop_reader,
    predict_self_blends,
    scale_heads,
)
from deepfake.training.calibrate.unseen_kinds import (
    MAX_UNSEEN_MISS,
    count_from,
    judge_unseen,
    predict_unseen,
)
from deepfake.types import PICTURE_KINDS, Kind, Split
from deepfake.verdicts.calibration import MIN_PER_CLASS
from deepfake.verdicts.judgement import judgement_kind

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "CalibrationSummary",
    "calibrate_bundle",
    "reject_too_few_files",
]

_Metrics = dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """Result of calibrating a bundle.

    Attributes:
        bundle: Folder of the calibrated bundle.
        metrics: Of both halves of `val`, their names prefixed by `val_choosing_` and
            `val_calibration_` and the kind.
        notes: For a reader of the probabilities, a sentence each.
    """

    bundle: Path
    metrics: _Metrics
    notes: tuple[str, ...]


def calibrate_bundle(
    folder: Path,
    *,
    snapshots: Sequence[Snapshot],
    output: Path,
    prior: float = 0.5,
    max_false_alarm: float | None = None,
    max_miss: float | None = None,
    device: str = "auto",
    cache: Path | None = None,
    is_halved: bool = False,
    unseen: Sequence[Snapshot] = (),
    max_unseen_miss: float = MAX_UNSEEN_MISS,
    view: ViewConfig | None = None,
    on_done: Callable[[int], None] = lambda _: None,
) -> CalibrationSummary:
    """Calibrate a bundle on the `val` splits of corpora, and write it.

    Args:
        folder: The bundle.
        snapshots: One a corpus; their crops were made as the bundle's are.
        output: Where the calibrated bundle goes; may be `folder`.
        prior: Share of fakes that probabilities shall hold for.
        max_false_alarm: Share of reals that may be called fake; None for 0.05.
        max_miss: Share of fakes that may be called real; None for 0.05 of stills, 0.1 of videos.
        device: Where the network computes.
        cache: Where networks converted for the CPU are kept.
        is_halved: Store weights in half precision; computing stays what it is.
        unseen: Corpora of kinds of fakes that it did not learn: they lower the threshold under
            which files are called real, and the bundle keeps what is called what.
        max_unseen_miss: Share of the fakes of each of these that may be called real.
        view: What the detector takes out of crops that are wider; None where they are as it takes
            them.
        on_done: Called with the number of crops done.

    Returns:
        Its folder, metrics and notes. A kind without enough files of both classes stays
        uncalibrated, and a note says so. A reference for drift is written beside the bundle.

    Raises:
        BundleError: It is not a bundle, or `output` is something else.
        ConfigError: The crops of a corpus were made otherwise, or a share is not in 0..1.
        DataError: The detector learnt from a corpus of `unseen`.
        SplitLeakageError: A corpus holds what belongs to a held-out set.
    """
    reject_held_out_media(snapshots)
    bundle = load_bundle(folder)
    state = bundle.state_dict()
    if is_halved:
        # The rounded weights are what is calibrated: they are written first.
        state = {name: _halved(tensor) for name, tensor in state.items()}
        folder = save_bundle(output, state_dict=state, spec=bundle.spec, overwrite=True)
    detector = load_detector(folder, device=device, cache=cache)
    crops = _predicted(detector, snapshots, view=view, on_done=on_done)
    is_choosing = halve_by_group(crops["half_group"].tolist())
    heads = bundle.spec.heads
    if len(heads) > 1:
        blends = predict_self_blends(detector, snapshots, crops[is_choosing], view=view)
        stills = crops[is_choosing & (crops["kind"] == str(Kind.IMAGE)).to_numpy()]
        heads = scale_heads(heads, stills, blends)
    crops = crops.assign(logit=combine_logits(crops, heads=heads))
    choosing, calibrating = crops[is_choosing], crops[~is_choosing]
    # Not what an earlier calibration chose: doing it twice changes nothing.
    recipe = bundle.spec.train_config.aggregation
    aggregation, compared = choose_aggregation(choosing, current=recipe)
    fitted = {
        kind: fit_judgement(
            calibrating,
            kind=kind,
            aggregation=aggregation,
            prior=prior,
            max_false_alarm=max_false_alarm,
            max_miss=max_miss,
        )
        for kind in PICTURE_KINDS
    }
    metrics: _Metrics = {
        **compared,
        **{k: v for f in fitted.values() for k, v in f.metrics.items()},
    }
    others = predict_unseen(detector, unseen, on_done=count_from(len(crops), on_done))
    judgement = {
        judgement_kind(kind): judge_unseen(
            found.settings,
            others,
            kind=kind,
            heads=heads,
            aggregation=aggregation,
            digests={s.corpus: s.digest for s in unseen},
            max_miss=max_unseen_miss,
        )
        for kind, found in fitted.items()
    }
    notes = tuple(note for settings in judgement.values() for note in settings.notes)
    spec = bundle.spec.model_copy(
        update={
            "heads": heads,
            "aggregation": aggregation,
            "judgement": {**bundle.spec.judgement, **judgement},
            "prior": prior,
            "metrics": {**_without_old(bundle.spec.metrics), **metrics},
            "calibration_digests": {s.corpus: s.digest for s in snapshots},
        }
    )
    save_bundle(output, state_dict=state, spec=spec, overwrite=True)
    looks = reference_of_crops(crops, snapshots=snapshots, aggregation=aggregation)
    if looks is not None:
        write_reference(output, looks)
    return CalibrationSummary(output, metrics, notes)


def reject_too_few_files(snapshots: Sequence[Snapshot]) -> None:
    """Reject corpora on which nothing can be calibrated, neither stills nor videos.

    Args:
        snapshots: One a corpus.

    Raises:
        DataError: The calibrating half of `val` lacks files of one class in every kind.
    """
    crops = _with_half_group(pd.concat([_labelled_val(s) for s in snapshots], ignore_index=True))
    calibrating = crops[~halve_by_group(crops["half_group"].tolist())]
    by_kind = {kind: calibrating[calibrating["kind"] == str(kind)] for kind in PICTURE_KINDS}
    if any(has_enough(files) for files in by_kind.values()):
        return
    counts = {judgement_kind(kind): count_labels(files) for kind, files in by_kind.items()}
    found = ", ".join(
        f"{n['real']} real and {n['fake']} fake {name}s" for name, n in counts.items()
    )
    raise DataError(
        f"nothing can be calibrated: half of `val` has {found}; "
        f"{MIN_PER_CLASS} of each are needed in one kind",
        hint="Name more corpora with --dataset, or a larger one.",
    )


def _halved(tensor: Tensor) -> Tensor:
    # Offsets, scales and statistics are few, and some are too large or too small.
    return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor


def _predicted(
    detector: Detector,
    snapshots: Sequence[Snapshot],
    *,
    view: ViewConfig | None = None,
    on_done: Callable[[int], None],
) -> pd.DataFrame:
    """Return the labelled `val` crops of all snapshots with the detector's head outputs."""
    parts, done = [], 0
    for snapshot in snapshots:
        val = _labelled_val(snapshot)
        crop_of = None if view is None else create_crop_reader(detector, snapshot, val, view=view)
        parts.append(
            predict_crops(
                detector, snapshot, val, crop_of=crop_of, on_done=count_from(done, on_done)
            )
        )
        done += len(val)
    if not parts:
        raise DataError("calibrating needs at least one corpus")
    return _with_half_group(pd.concat(parts, ignore_index=True))


def _labelled_val(snapshot: Snapshot) -> pd.DataFrame:
    index = snapshot.index()
    return index[(index["split"] == str(Split.VAL)) & index["label"].notna()]


def _with_half_group(crops: pd.DataFrame) -> pd.DataFrame:
    medium = "media:" + crops["media_id"].astype(str)
    return crops.assign(half_group=crops["group"].where(crops["group"].notna(), medium))


def _without_old(metrics: _Metrics) -> _Metrics:
    # The metrics of an earlier calibration do not belong to this one.
    old = ("val_choosing_", "val_calibration_")
    return {name: value for name, value in metrics.items() if not name.startswith(old)}
