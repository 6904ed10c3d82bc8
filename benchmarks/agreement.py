"""How closely the scores of two ways to sample agree.

python -m benchmarks.agreement FOLDER --weights BUNDLE
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.clips import find_clips
from deepfake.config import SamplingConfig
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.extractor import ExtractRequest, limit_threads
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.storage import to_uri

__all__ = ["main"]


def main(
    weights: Annotated[Path, typer.Option(help="The detector's bundle.")],
    folder: Annotated[Path, typer.Argument(help="Videos.")] = Path("../shared/data/videos"),
    frames: Annotated[int, typer.Option(help="Sampled of each clip.")] = 32,
    cache: Annotated[Path, typer.Option(help="Where converted networks are kept.")] = Path(
        "data/.cache/openvino"
    ),
) -> None:
    """Score each clip by `uniform` and by `bursts`, in f32 and in bf16, and compare the logits."""
    limit_threads()
    clips, _ = find_clips(folder)
    ways = {
        "uniform": ("uniform", "f32"),
        "bursts": ("bursts", "f32"),
        "uniform, bf16": ("uniform", "bf16"),
    }
    logits: dict[str, list[float]] = {}
    for name, (strategy, precision) in ways.items():
        sampling = SamplingConfig.model_validate({"strategy": strategy, "num_frames": frames})
        identity = DetectorIdentity(weights, weights.name)
        scorer = Scorer(
            ScorerSetup(
                identity,
                sampling=sampling,
                precision="bf16" if precision == "bf16" else "f32",
                cache=cache,
            )
        )
        rows = [scorer.score(ExtractRequest(to_uri(c.path), "0" * 64)).score for c in clips]
        logits[name] = [np.nan if row["logit"] is None else float(row["logit"]) for row in rows]
    _print(logits)


def _print(logits: dict[str, list[float]]) -> None:
    reference = np.array(logits.pop("uniform"))
    table = Table(title="logits of a clip, against uniform in f32")
    for title in ("sampled", "clips", "r", "median difference", "largest", "spread of uniform"):
        table.add_column(title, justify="right")
    for name, values in logits.items():
        other = np.array(values)
        both = np.isfinite(reference) & np.isfinite(other)
        gap = np.abs(other - reference)[both]
        r = np.corrcoef(reference[both], other[both])[0, 1]
        table.add_row(
            name,
            str(int(both.sum())),
            f"{r:.3f}",
            f"{np.median(gap):.3f}",
            f"{gap.max():.3f}",
            f"{reference[both].std():.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
