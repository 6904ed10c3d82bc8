"""`deepfake train`: shards to a detector."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from deepfake.cli.flow_runs import prepare, print_metrics, run_flow
from deepfake.config.options import TrainOptions

__all__ = ["print_train", "run_train"]


def run_train(options: TrainOptions) -> None:
    """Run the `train` flow."""
    if options.use_gpu:
        options = options.model_copy(update={"device": "cuda"})
    prepare(options.data_root)
    print_train(run_flow("train", options))


def print_train(summary: dict[str, Any]) -> None:
    """Print what a training run did."""
    console = Console(markup=False)
    console.print(f"weights to begin with: {summary['pretrained_source']}")
    print_metrics(console, summary)
