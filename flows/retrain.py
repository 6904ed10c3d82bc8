"""The scheduled flow: train on the newest snapshot, evaluate on its test part."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow

from deepfake.recipes import DEFAULT_RECIPE
from deepfake.tracking import MODEL_NAME
from flows.evaluate import evaluate
from flows.parameters import CorpusName, Positive
from flows.train import train

__all__ = ["retrain"]


@flow(name="retrain", flow_run_name="retrain-{dataset}")
def retrain(
    dataset: str,
    model: str | None = None,
    data_root: str = "data",
    *,
    recipe: str = DEFAULT_RECIPE,
    epochs: Positive | None = None,
    batch_size: Positive | None = None,
    seed: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    name: CorpusName = MODEL_NAME,
) -> dict[str, Any]:
    """Train a detector anew and measure it; the registry's champion stays what it is.

    Args:
        dataset: An ingested corpus, or a folder.
        model: `resnet50`, `xception`, `efficientnet`, or any timm name; None for the recipe's.
        data_root: The data root.
        recipe: Name of a recipe, or a TOML file.
        epochs: At most.
        batch_size: Crops.
        seed: Of everything random.
        device: Where.
        name: Under which the detector is registered.

    Returns:
        The summaries of both steps.
    """
    trained = train(
        dataset,
        model,
        data_root,
        recipe=recipe,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        device=device,
        name=name,
    )
    measured = evaluate(dataset, trained["bundle"], data_root, device=device, seed=seed or 0)
    return {"trained": trained, "evaluated": measured}
