"""The training of a challenger: its settings, and the key that names all that it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepfake import __version__
from deepfake.config import TrainConfig, VoiceTrainConfig, digest_of
from deepfake.config.options import RetrainOptions
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle, packaged_detector
from deepfake.detectors.open_bundle import AnyBundle, open_bundle
from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.detectors.voice.architectures import reject_unknown_voice_network
from deepfake.detectors.voice_bundle import packaged_voice_detector
from deepfake.errors import ConfigError
from deepfake.training.recipes import load_recipe, load_voice_recipe
from deepfake.training.run_folder import AnyTrainConfig

__all__ = ["challenger_config", "is_same_training", "retrain_key"]

_VERSION = 1
"""Of the way in which a challenger is made; part of a run's name."""


def challenger_config(champion: AnyBundle, options: RetrainOptions) -> AnyTrainConfig:
    """Return the settings of the challenger's training: the champion's, or a recipe's.

    Args:
        champion: Who is challenged.
        options: What was asked for on top.

    Raises:
        ConfigError: There is no such recipe, or options contradict it.
    """
    if isinstance(champion, Bundle):
        return _faces_config(champion, options)
    if isinstance(champion, SyncBundle):
        raise ConfigError("detectors of lips against sound are not retrained by rule")
    recipe = options.recipe
    base = champion.spec.train_config if recipe is None else load_voice_recipe(recipe)
    chosen = _given(options, model="architecture", max_crops="windows_per_epoch")
    if options.start == "champion":
        chosen["pretrained"] = _weights_of(champion)
    elif recipe is None:
        # The champion may have begun with an earlier champion.
        chosen["pretrained"] = "none"
    # `model_copy` validates nothing.
    config = VoiceTrainConfig.model_validate(base.model_copy(update=chosen).model_dump())
    reject_unknown_voice_network(config.architecture)
    return config


def _faces_config(champion: Bundle, options: RetrainOptions) -> TrainConfig:
    recipe = options.recipe
    base = champion.spec.train_config if recipe is None else load_recipe(recipe)
    chosen = _given(options, model="model", max_crops="max_crops_per_epoch")
    if options.start == "champion":
        chosen["pretrained"] = _weights_of(champion)
    elif recipe is None:
        # The champion may have begun with an earlier champion.
        chosen["pretrained"] = "auto"
    # `model_copy` validates nothing.
    return TrainConfig.model_validate(base.model_copy(update=chosen).model_dump())


def _given(options: RetrainOptions, *, model: str, max_crops: str) -> dict[str, Any]:
    """Return the settings that were asked for, by their names in a recipe.

    Args:
        options: What was asked for.
        model: What a recipe calls the network.
        max_crops: What it calls the size of an epoch.
    """
    given = {
        model: options.model,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.lr,
        max_crops: options.max_crops,
        "max_minutes": options.max_minutes,
        "seed": options.seed,
    }
    return {name: value for name, value in given.items() if value is not None}


def _weights_of(champion: AnyBundle) -> str:
    is_faces = isinstance(champion, Bundle)
    packaged = packaged_detector() if is_faces else packaged_voice_detector()
    if packaged is not None and open_bundle(packaged).digest == champion.digest:
        return "packaged"
    return str(champion.path)


def is_same_training(
    champion: AnyBundle, snapshots: Sequence[Snapshot], *, config: AnyTrainConfig, start: str
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
    before: AnyTrainConfig = champion.spec.train_config
    if start == "champion":
        before = before.model_copy(update={"pretrained": config.pretrained})
    return before == config


def retrain_key(
    config: AnyTrainConfig, *, snapshots: Sequence[Snapshot], champion: AnyBundle, name: str
) -> str:
    """Return the digest that names a retraining: of all that challenger and champion depend on."""
    settings = config.model_dump(mode="json")
    if settings["pretrained"] in (str(champion.path), "packaged"):
        # Where a bundle lies does not matter.
        settings["pretrained"] = champion.digest
    data = {s.corpus: s.digest for s in snapshots}
    return digest_of("retrain", str(_VERSION), __version__, settings, data, champion.digest, name)
