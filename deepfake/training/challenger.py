"""The training of a challenger: its settings, and the key that names all that it depends on."""

from __future__ import annotations

from collections.abc import Sequence

from deepfake import __version__
from deepfake.config import TrainConfig, digest_of
from deepfake.config.options import RetrainOptions
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle, load_bundle, packaged_detector
from deepfake.training.recipes import load_recipe

__all__ = ["challenger_config", "is_same_training", "retrain_key"]

_VERSION = 1
"""Of the way in which a challenger is made; part of a run's name."""


def challenger_config(champion: Bundle, options: RetrainOptions) -> TrainConfig:
    """Return the settings of the challenger's training: the champion's, or a recipe's.

    Args:
        champion: Who is challenged.
        options: What was asked for on top.

    Raises:
        ConfigError: There is no such recipe, or options contradict it.
    """
    recipe = options.recipe
    base = champion.spec.train_config if recipe is None else load_recipe(recipe)
    given = {
        "model": options.model,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.lr,
        "max_crops_per_epoch": options.max_crops,
        "max_minutes": options.max_minutes,
        "seed": options.seed,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if options.start == "champion":
        chosen["pretrained"] = _weights_of(champion)
    elif recipe is None:
        # The champion may have begun with an earlier champion.
        chosen["pretrained"] = "auto"
    # `model_copy` validates nothing.
    return TrainConfig.model_validate(base.model_copy(update=chosen).model_dump())


def _weights_of(champion: Bundle) -> str:
    packaged = packaged_detector()
    if packaged is not None and load_bundle(packaged).digest == champion.digest:
        return "packaged"
    return str(champion.path)


def is_same_training(
    champion: Bundle, snapshots: Sequence[Snapshot], *, config: TrainConfig, start: str
) -> bool:
    """Return whether the champion was trained on these snapshots with these settings.

    Args:
        champion: Who is challenged.
        snapshots: What the challenger would learn from.
        config: Settings of its training.
        start: `champion` or `scratch`: which weights it begins with.
    """
    if champion.spec.data_digests != {s.corpus: s.digest for s in snapshots}:
        return False
    before = champion.spec.train_config
    if start == "champion":
        before = before.model_copy(update={"pretrained": config.pretrained})
    return before == config


def retrain_key(
    config: TrainConfig, *, snapshots: Sequence[Snapshot], champion: Bundle, name: str
) -> str:
    """Return the digest that names a retraining: of all that challenger and champion depend on."""
    settings = config.model_dump(mode="json")
    if settings["pretrained"] in (str(champion.path), "packaged"):
        # Where a bundle lies does not matter.
        settings["pretrained"] = champion.digest
    data = {s.corpus: s.digest for s in snapshots}
    return digest_of("retrain", str(_VERSION), __version__, settings, data, champion.digest, name)
