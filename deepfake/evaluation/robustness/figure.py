"""Draw the figure of a robustness measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from deepfake.evaluation.robustness.measure import ConditionResult
from deepfake.evaluation.robustness.perturbations import PERTURBATIONS
from deepfake.storage import atomic_path

__all__ = ["write_robustness_figure"]

_UNITS = {
    "jpeg": "JPEG quality",
    "h264": "CRF of x264",
    "resize": "factor of the side",
    "blur": "blur, sigma in pixels",
    "noise": "noise, sigma of 255 levels",
    "brightness": "factor of the light",
    "grey": "share of the colour taken away",
    "filter": "share of a photo filter",
    "beauty": "share of a beauty filter",
    "reencode": "times sent on",
    "screen": "strength of a screen's traces",
    "letterbox": "share of black bars",
    "inset": "share of the side in a larger picture",
    "mirror": "left and right swapped",
    "turn": "degrees clockwise",
}
_AUC, _ACCURACY = "#c8553d", "#2b7a78"


def write_robustness_figure(results: Sequence[ConditionResult], path: Path) -> Path:
    """Draw AUC and accuracy against the strength of each perturbation, as a PNG file.

    Args:
        results: Of a measurement; dashed lines are the `clean` one.
        path: Where to.
    """
    # A file `matplotlibrc` of the working folder may ask for anything, TeX programs too.
    with style.context("default"):
        return _draw(results, path)


def _draw(results: Sequence[ConditionResult], path: Path) -> Path:
    names = [name for name in PERTURBATIONS if any(r.name == name for r in results)]
    clean = next((r for r in results if r.name == "clean"), None)
    columns = min(3, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(4.0 * columns, 3.0 * rows), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, number + 1)
        own = sorted((r for r in results if r.name == name), key=lambda r: r.value)
        values = [r.value for r in own]
        auc = np.array([[r.auc, r.auc_low, r.auc_high] for r in own], dtype=np.float64)
        accuracy = np.array([[r.accuracy, r.accuracy_low, r.accuracy_high] for r in own])
        for table, colour, label in ((auc, _AUC, "AUC"), (accuracy, _ACCURACY, "accuracy")):
            axes.plot(values, table[:, 0], "o-", color=colour, markersize=3, label=label)
            axes.fill_between(values, table[:, 1], table[:, 2], color=colour, alpha=0.15)
        if clean is not None:
            for level, colour in ((clean.auc, _AUC), (clean.accuracy, _ACCURACY)):
                if level is not None:
                    axes.axhline(level, color=colour, linestyle="--", linewidth=1)
        axes.set(xlabel=_UNITS[name], ylim=(0.45, 1.01))
        if number == 0:
            axes.legend(fontsize=8, loc="lower left")
    if clean is not None:
        figure.suptitle(f"{clean.n} files; dashed: as they are", fontsize=10)
    with atomic_path(path) as temporary:
        canvas.print_figure(temporary, format="png", dpi=110)
    return path
