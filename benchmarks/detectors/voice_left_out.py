"""Train detectors of voices with one synthesiser left out at a time, and measure each on that one.

    python -m benchmarks.detectors.voice_left_out CORPUS --data-root data --epochs 6 \
        --measure OTHER --output left_out.json

All files of the method that is left out count as `test`, its part of `train` and `val` included.
Every run is a run like that of `deepfake train --modality voice`, below `runs/left-out-METHOD`; one
that is finished is not trained again. `--measure` names further corpora of speech, on which every
detector is measured as well; nothing is learnt from them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.config import VoiceTrainConfig
from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.evaluation.markdown import markdown_table
from deepfake.evaluation.voice import VoiceEvaluation, evaluate_voice
from deepfake.evaluation.voice.output import by_method
from deepfake.storage import DataRoot, engine_cache
from deepfake.training import train_voice_detector
from deepfake.training.recipes import load_voice_recipe
from deepfake.types import Label, Split

__all__ = ["SnapshotWithoutMethod", "main", "methods_of", "train_without"]


@dataclass(frozen=True, slots=True)
class SnapshotWithoutMethod(Snapshot):
    """A snapshot in which all files of one method belong to `test`.

    Attributes:
        method: The method that is left out.
    """

    method: str = ""

    def index(self) -> pd.DataFrame:
        """Return the windows, those of the method in `test`."""
        return _left_out(Snapshot.index(self), self.method)

    def outcomes(self) -> pd.DataFrame:
        """Return the files, those of the method in `test`."""
        return _left_out(Snapshot.outcomes(self), self.method)


def _left_out(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    split = rows["split"].where(rows["method"] != method, str(Split.TEST))
    return rows.assign(split=split)


def methods_of(snapshot: Snapshot) -> list[str]:
    """Return the methods of the fakes of a corpus."""
    index = snapshot.index()
    return sorted(set(index.loc[index["label"] == str(Label.FAKE), "method"].dropna()))


def train_without(
    snapshot: Snapshot, method: str, *, config: VoiceTrainConfig, root: DataRoot
) -> tuple[SnapshotWithoutMethod, Path]:
    """Train a detector without a method, or take one that was trained before.

    Args:
        snapshot: Of the corpus.
        method: What is left out.
        config: The recipe.
        root: Where the run goes.

    Returns:
        The snapshot without the method in `train` and `val`, and the detector's bundle.
    """
    without = SnapshotWithoutMethod(
        snapshot.corpus_dir, snapshot.corpus, snapshot.digest, method=method
    )
    run_dir = root.runs / f"left-out-{method}"
    bundle = run_dir / "bundle"
    if not (run_dir / "result.json").is_file():
        train_voice_detector(
            snapshots=[without],
            config=config,
            run_dir=run_dir,
            name=f"without-{method}",
            resume=(run_dir / "checkpoints" / "last.ckpt").is_file(),
        )
    return without, bundle


def _row(method: str, result: VoiceEvaluation) -> dict[str, Any]:
    (own,) = (one for one in by_method(result) if one["method"] == method)
    return {
        **own,
        "n_real": result.n_real,
        "reals_called_fake": len(result.flagged_reals),
        "uncertain": result.uncertain,
    }


def _measured(result: VoiceEvaluation) -> dict[str, Any]:
    return {
        "auc": result.auc,
        "auc_interval": result.auc_interval,
        "n_real": result.n_real,
        "n_fake": result.n_fake,
        "reals_called_fake": len(result.flagged_reals),
        "uncertain": result.uncertain,
    }


def main() -> None:
    """Train, measure, print a table, and write a JSON file where one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--recipe", default="voice")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--measure", nargs="*", default=[])
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    root = DataRoot(given.data_root.resolve())
    snapshot = open_snapshot(root, given.corpus)
    config = load_voice_recipe(given.recipe).model_copy(update={"epochs": given.epochs})
    others = [open_snapshot(root, name) for name in given.measure]
    found: list[dict[str, Any]] = []
    for method in given.methods or methods_of(snapshot):
        without, bundle = train_without(snapshot, method, config=config, root=root)
        result = evaluate_voice(without, bundle, "test", cache=engine_cache())
        measured = {
            other.corpus: _measured(evaluate_voice(other, bundle, "all", cache=engine_cache()))
            for other in others
        }
        found.append({**_row(method, result), "measured": measured})
        print("\n".join(_table(found)), flush=True)
    if given.output is not None:
        given.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _table(found: Sequence[dict[str, Any]]) -> list[str]:
    columns = ["left out", "fakes", "reals", "AUC", "95 %", "reals called fake", "uncertain"]
    rows = [
        [
            one["method"],
            str(one["n_fake"]),
            str(one["n_real"]),
            f"{one['auc']:.3f}",
            "-" if one["auc_interval"] is None else "{:.3f} to {:.3f}".format(*one["auc_interval"]),
            str(one["reals_called_fake"]),
            f"{one['uncertain']:.0%}",
        ]
        for one in found
    ]
    return list(markdown_table(columns, rows))


if __name__ == "__main__":
    main()
