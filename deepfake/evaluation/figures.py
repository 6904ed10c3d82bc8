"""Draw the figures of an evaluation, without a display or global state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from deepfake.evaluation.markdown import format_metric
from deepfake.evaluation.metrics import wilson_interval
from deepfake.evaluation.result import CorpusResult, EvaluationResult
from deepfake.storage import atomic_path
from deepfake.types import Label

__all__ = ["write_figures"]

_REAL_COLOUR, _FAKE_COLOUR = "#2b7a78", "#c8553d"
_GUIDE: dict[str, Any] = {"color": "0.6", "linestyle": "--", "linewidth": 1}
_BINS = 10


def write_figures(result: EvaluationResult, folder: Path) -> list[Path]:
    """Write the figures of each corpus as PNG files.

    `roc`, `precision_recall`, `confusion_matrix`, `reliability`, `score_histogram`, `tippett`. A
    figure that
    one class leaves undefined is not drawn. Several corpora get a folder each.

    Returns:
        The files, in the order written.
    """
    written: list[Path] = []
    for name, corpus in result.corpora.items():
        target = folder / name if len(result.corpora) > 1 else folder
        own = result.table[(result.table["corpus"] == name) & result.table["logit"].notna()]
        for stem, (draw, needs_both) in _FIGURES.items():
            if len(own) and (own["label"].nunique() == 2 or not needs_both):
                written.append(_write(target / f"{stem}.png", draw, own, corpus))
    return written


_Draw = Callable[[Axes, pd.DataFrame, CorpusResult], str]


def _write(path: Path, draw: _Draw, files: pd.DataFrame, corpus: CorpusResult) -> Path:
    # A file `matplotlibrc` of the working folder may ask for anything, TeX programs too.
    with style.context("default"):
        return _draw(path, draw, files, corpus)


def _draw(path: Path, draw: _Draw, files: pd.DataFrame, corpus: CorpusResult) -> Path:
    figure = Figure(figsize=(5.6, 4.8), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    title = draw(axes, files, corpus)
    fakes = int((files["label"] == Label.FAKE).sum())
    axes.set_title(
        f"{title}\n{corpus.corpus}: {len(files)} files ({len(files) - fakes} real, {fakes} fake)",
        fontsize=10,
    )
    with atomic_path(path) as temporary:
        canvas.print_figure(temporary, format="png", dpi=120)
    return path


def _draw_roc(axes: Axes, files: pd.DataFrame, corpus: CorpusResult) -> str:
    axes.plot([0, 1], [0, 1], **_GUIDE)
    fpr, tpr, _ = roc_curve(_labels(files), files["log_odds"])
    axes.plot(
        fpr,
        tpr,
        color=_FAKE_COLOUR,
        label=f"all files, AUC {format_metric(corpus.files.metrics.auc)}",
    )
    paired = files[files["pair_id"].notna()]
    if len(paired) and corpus.matched.level is not None:
        fpr, tpr, _ = roc_curve(_labels(paired), paired["log_odds"])
        auc = format_metric(corpus.matched.level.metrics.auc)
        axes.plot(
            fpr,
            tpr,
            color=_REAL_COLOUR,
            label=f"{corpus.matched.n_pairs} pairs of one size and sharpness, AUC {auc}",
        )
    axes.set(xlabel="false-alarm rate (reals called fake)", ylabel="recall (fakes called fake)")
    axes.legend(loc="lower right", fontsize=8)
    return "ROC curve"


def _draw_precision_recall(axes: Axes, files: pd.DataFrame, corpus: CorpusResult) -> str:
    labels = _labels(files)
    precision, recall, _ = precision_recall_curve(labels, files["log_odds"])
    axes.axhline(labels.mean(), label=f"share of fakes, {labels.mean():.2f}", **_GUIDE)
    area = format_metric(corpus.files.metrics.average_precision)
    axes.step(
        recall, precision, where="post", color=_FAKE_COLOUR, label=f"average precision {area}"
    )
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))
    axes.legend(loc="lower left", fontsize=8)
    return "Precision and recall"


def _draw_confusion(axes: Axes, files: pd.DataFrame, corpus: CorpusResult) -> str:
    called = (files["prob_fake"] >= files["threshold"]).to_numpy().astype(int)
    counts = confusion_matrix(_labels(files), called, labels=[0, 1])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = np.array(
        [
            [f"{n}\n{s:.0%}" for n, s in zip(*row, strict=True)]
            for row in zip(counts, shares, strict=True)
        ]
    )
    names = ["real", "fake"]
    sns.heatmap(
        shares,
        annot=text,
        fmt="",
        cmap="Greens",
        vmin=0,
        vmax=1,
        square=True,
        xticklabels=names,
        yticklabels=names,
        cbar_kws={"label": "share of the row"},
        ax=axes,
    )
    axes.set(xlabel="called", ylabel="is")
    threshold = corpus.files.metrics.threshold
    return "Confusion" + ("" if threshold is None else f" at prob_fake = {threshold:.2f}")


def _draw_reliability(axes: Axes, files: pd.DataFrame, corpus: CorpusResult) -> str:
    axes.plot([0, 1], [0, 1], **_GUIDE)
    order = np.argsort(files["prob_fake"].to_numpy(), kind="stable")
    probs, labels = files["prob_fake"].to_numpy()[order], _labels(files)[order]
    parts = [p for p in np.array_split(np.arange(len(order)), _BINS) if len(p)]
    means = np.array([probs[p].mean() for p in parts])
    rates = np.array([labels[p].mean() for p in parts])
    ends = np.array([wilson_interval(int(labels[p].sum()), len(p)) for p in parts])
    errors = np.abs(np.stack([rates - ends[:, 0], ends[:, 1] - rates]))
    axes.errorbar(means, rates, yerr=errors, fmt="o-", color=_FAKE_COLOUR, markersize=4, capsize=2)
    axes.set(xlabel="mean prob_fake of the bin", ylabel="share of fakes in the bin")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ece = format_metric(corpus.files.metrics.ece)
    return f"Reliability, {len(parts)} bins of equal mass, ECE {ece}"


def _draw_histogram(axes: Axes, files: pd.DataFrame, corpus: CorpusResult) -> str:
    sns.histplot(
        x=files["prob_fake"].to_numpy(),
        hue=files["label"].astype(str).to_numpy(),
        hue_order=["real", "fake"],
        palette={"real": _REAL_COLOUR, "fake": _FAKE_COLOUR},
        bins=np.linspace(0, 1, 21).tolist(),
        multiple="layer",
        ax=axes,
    )
    sns.move_legend(axes, "upper center")
    for limit in files["threshold"].unique():
        axes.axvline(limit, **_GUIDE)
    axes.set(xlabel="prob_fake", ylabel="files", xlim=(0, 1))
    return "Scores by label"


def _draw_tippett(axes: Axes, files: pd.DataFrame, corpus: CorpusResult) -> str:
    """Draw the share of each class whose likelihood ratio is at least so high.

    Source: Meuwly, Ramos and Haraksim 2017, "A guideline for the validation of likelihood ratio
    methods used for forensic evidence evaluation", Forensic Science International 276, 142-153.
    """
    log10 = files["log_lr"].to_numpy(dtype=np.float64) / np.log(10)
    is_fake = _labels(files) == 1
    axes.axvline(0, **_GUIDE)
    for name, own, colour in (("real", ~is_fake, _REAL_COLOUR), ("fake", is_fake, _FAKE_COLOUR)):
        values = np.sort(log10[own])
        shares = 1 - np.arange(len(values)) / len(values)  # of values[i] and all above it
        wrong = float((values > 0).mean() if name == "real" else (values < 0).mean())
        text = f"{name}, {wrong:.1%} on the wrong side of 1"
        axes.step(values, shares, where="pre", color=colour, label=text)
    axes.set(xlabel="logarithm (base 10) of the likelihood ratio", ylim=(0, 1.03))
    axes.set(ylabel="share of files with at least this")
    axes.legend(loc="lower left", fontsize=8)
    metrics = corpus.files.metrics
    cllr, least = format_metric(metrics.cllr), format_metric(metrics.min_cllr)
    return f"Tippett plot, Cllr {cllr}, at the least {least}"


def _labels(files: pd.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return (files["label"] == Label.FAKE).to_numpy().astype(np.int64)


_FIGURES: dict[str, tuple[_Draw, bool]] = {
    "roc": (_draw_roc, True),
    "precision_recall": (_draw_precision_recall, True),
    "confusion_matrix": (_draw_confusion, False),
    "reliability": (_draw_reliability, True),
    "score_histogram": (_draw_histogram, False),
    "tippett": (_draw_tippett, True),
}
