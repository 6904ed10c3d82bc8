"""Check names, devices and places before Prefect, PyTorch or a worker starts.

Options are checked by their names, whichever command has them. What can only be
checked in an open network, registry or corpus is checked by the code that opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake.config.options import Options, TrainOptions
from deepfake.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from deepfake.storage import DataRoot

__all__ = ["check_options", "reject_missing"]


def check_options(command: str, options: Options) -> None:
    """Reject options that name something that does not exist.

    Args:
        command: Name of the command, that of its group before it.
        options: As they were typed.

    Raises:
        ConfigError: Options contradict each other, or name something that does not exist.
        UnknownModelError: There is no such network or detector.
    """
    given = {name for name in type(options).model_fields if getattr(options, name)}
    for checks in (_OF_OPTION, _OF_COMMAND.get(command, {})):
        for name, check in checks.items():
            if name in given:
                check(options)


def reject_missing(*paths: str | Path) -> None:
    """Reject paths that do not exist: most likely they were mistyped.

    Args:
        paths: Files or folders; a store's URI is not looked up.

    Raises:
        ConfigError: A path does not exist.
    """
    for path in paths:
        if _is_in_store(path):
            continue
        try:
            Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigError("no such file or folder", path=path) from None
        except OSError:
            continue  # an unreadable file gets a row with that status


def _is_in_store(path: str | Path) -> bool:
    return isinstance(path, str) and "://" in path


def _must_exist(name: str) -> Callable[[Any], None]:
    def check(options: Any) -> None:
        value = getattr(options, name)
        reject_missing(*(value if isinstance(value, (list, tuple)) else [value]))

    return check


def _must_be_file(name: str) -> Callable[[Any], None]:
    def check(options: Any) -> None:
        path = Path(getattr(options, name))
        reject_missing(path)
        if path.is_dir():
            raise ConfigError("a folder, not a file", path=path)

    return check


def _check_device(options: Any) -> None:
    if options.device != "cuda" and not getattr(options, "use_gpu", False):
        return
    from deepfake.compute.devices import reject_without_driver

    if getattr(options, "use_gpu", False) and options.device == "cpu":
        raise ConfigError("--use-gpu and --device cpu contradict each other")
    reject_without_driver("cuda")


def _check_precision(options: Any) -> None:
    if options.precision == "f32":
        return
    from deepfake.compute.devices import check_precision, check_training_precision, resolve_device

    if isinstance(options, TrainOptions):
        if options.precision is not None:
            check_training_precision(options.precision, device=resolve_device(options.device))
        return
    # `auto` may become either.
    check_precision(options.precision, device="cuda" if options.device == "cuda" else "cpu")


def _check_datasets(options: Any) -> None:
    from deepfake.corpora.dataset_names import reject_unknown_dataset

    root = _data_root(options)
    datasets = options.dataset if isinstance(options.dataset, list) else [options.dataset]
    for dataset in (*datasets, *(getattr(options, "unseen", None) or ())):
        reject_unknown_dataset(dataset, root=root)


def _check_corpus(options: Any) -> None:
    from deepfake.corpora.dataset_names import reject_unknown_corpus

    reject_unknown_corpus(options.dataset, root=_data_root(options))


def _data_root(options: Any) -> DataRoot:
    from deepfake.storage import DataRoot, location_of

    return DataRoot(location_of(options.data_root))


def _check_detectors(options: Any) -> None:
    from deepfake.registry.resolve import resolve_any_detector
    from deepfake.storage.environment import configure_environment

    root = _data_root(options)
    for weights in _detectors(options):
        if weights.startswith("models:/"):
            configure_environment(root.here)  # MLflow reads it when it is imported
        try:
            resolve_any_detector(weights, data_root=root.path)
        except BundleError as error:
            raise ConfigError(error.message, path=error.path, hint=error.hint) from error


def _detectors(options: Any) -> Iterator[str]:
    for name in ("weights", "against"):
        weights = getattr(options, name, None)
        # A detector in a store is copied here to be looked at.
        if weights and not _is_in_store(weights):
            yield weights


def _check_network(options: Any) -> None:
    if getattr(options, "modality", "faces") == "voice":
        from deepfake.detectors.voice.architectures import reject_unknown_voice_network

        reject_unknown_voice_network(options.model)
        return
    from deepfake.detectors.network_names import reject_unknown_network

    reject_unknown_network(options.model)


def _check_recipe(options: Any) -> None:
    from deepfake.training.recipes import load_recipe, load_sync_recipe, load_voice_recipe

    loads = {"faces": load_recipe, "voice": load_voice_recipe, "sync": load_sync_recipe}
    loads[getattr(options, "modality", "faces")](options.recipe)


def _check_training(options: Any) -> None:
    from deepfake.config import TrainConfig
    from deepfake.training.settings import check_run_name, resolve_any_train_config

    config = resolve_any_train_config(options)
    if options.run_name is not None:
        check_run_name(_data_root(options).runs, options.run_name, resume=options.resume)
    is_faces = isinstance(config, TrainConfig)
    named = ("auto", "imagenet", "none", "packaged") if is_faces else ("none", "packaged")
    if config.pretrained not in named and not Path(config.pretrained).exists():
        file = ", or a file" if is_faces else ""
        raise ConfigError(
            f"no weights {config.pretrained!r}",
            hint=f"Expected {', '.join(named)}, or a detector's folder{file}.",
        )


def _check_run_name(options: Any) -> None:
    from deepfake.training.settings import check_run_name

    check_run_name(_data_root(options).runs, options.run_name)


def _check_space(options: Any) -> None:
    from deepfake.training.tuning.space import load_space

    load_space(options.space)


def _check_policy(options: Any) -> None:
    from deepfake.evaluation.promotion.policy import load_policy

    load_policy(options.policy)


def _check_held_out(options: Any) -> None:
    from deepfake.corpora.held_out.sets import read_held_out_set

    name = options.held_out or options.benchmark
    read_held_out_set(_data_root(options), name)


def _check_perturbations(options: Any) -> None:
    from deepfake.evaluation.robustness.perturbations import perturbations_of

    perturbations_of(options.perturbations)


def _check_places(options: Any) -> None:
    from deepfake.scoring.output.path_checks import check_places
    from deepfake.storage import location_of, nearest_existing

    output = location_of(options.output)
    check_places(location_of(options.folder), output)
    if isinstance(output, Path) and not nearest_existing(output).is_dir():
        raise ConfigError("the folder for the scores cannot be created", path=output)


def _check_cluster(options: Any) -> None:
    from deepfake.compute.cluster import check_dask_address

    check_dask_address(options.dask_address, task_runner=options.task_runner)


def _check_export(options: Any) -> None:
    from deepfake.detectors.inference.onnx_export import reject_existing_file

    reject_existing_file(options.output, overwrite=options.overwrite)


_OF_OPTION: Mapping[str, Callable[[Any], None]] = {
    "device": _check_device,
    "precision": _check_precision,
    "dask_address": _check_cluster,
    "recipe": _check_recipe,
    "model": _check_network,
    "space": _check_space,
    "policy": _check_policy,
    "perturbations": _check_perturbations,
    "held_out": _check_held_out,
    "benchmark": _check_held_out,
    "weights": _check_detectors,
    "against": _check_detectors,
}
"""Checks of every command that has an option of that name; the cheap ones first."""

_DATASETS = {"dataset": _check_datasets}
_SCORES = {"folder": _must_exist("folder")}

_OF_COMMAND: Mapping[str, Mapping[str, Callable[[Any], None]]] = {
    "ingest": {"input_path": _must_exist("input_path")},
    "train": {**_DATASETS, "modality": _check_training},
    "retrain": _DATASETS,
    "sweep": _DATASETS,
    "calibrate": {**_DATASETS, "run_name": _check_run_name},
    "evaluate": _DATASETS,
    "robustness": _DATASETS,
    "clips": {"dataset": _check_corpus},
    "held-out freeze": {"dataset": _check_corpus},
    "detect": {"files": _must_exist("files")},
    "score": {"folder": _must_exist("folder"), "output": _check_places},
    "report": _SCORES,
    "status": {"output": _must_exist("output")},
    "sample": _SCORES,
    "receipt": _SCORES,
    "verify": {"receipt": _must_be_file("receipt"), "file": _must_be_file("file")},
    "export": {"output": _check_export},
    "setup": {"file": _must_be_file("file")},
    "up": {"file": _must_be_file("file")},
}
"""Checks of single commands."""
