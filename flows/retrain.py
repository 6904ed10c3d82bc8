"""The flow `retrain`: train a challenger on what is new, compare it, promote it if it is better.

A run is named after everything that it depends on. Killed at any moment and started again, it goes
on: from the last checkpoint, or from whatever step is not done. A version is registered once
bundle, comparison and decision are there, and gets its alias last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from deepfake.config import Modality
from deepfake.config.options import RetrainOptions, takes_options
from deepfake.corpora.held_out import read_held_out_set, reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.open_bundle import AnyBundle, open_bundle
from deepfake.errors import ConfigError
from deepfake.evaluation.promotion import (
    Challenge,
    ComparedFiles,
    Decision,
    MeasuredPair,
    Measurements,
    decision_markdown,
    files_to_compare,
    gather_measurements,
    load_policy,
    measure_pair,
    measure_voice_pair,
    version_tags,
)
from deepfake.evaluation.selected_split import SelectedSplit
from deepfake.registry import (
    MODEL_NAME,
    SYNC_MODEL_NAME,
    VOICE_MODEL_NAME,
    mask_credentials,
    run_tags,
    tracking_uri,
    ui_command,
)
from deepfake.storage import DataRoot, engine_cache, location_of
from deepfake.training import RunFolder, TrainResult, read_result
from deepfake.training.challenger import challenger_config, is_same_training, retrain_key
from deepfake.training.run_folder import AnyTrainConfig
from flows.ingest import open_dataset
from flows.server.cancel import cancel_when_stopped
from flows.server.limits import one_training
from tasks import evaluate as evaluating
from tasks import retrain as steps
from tasks import train as training

__all__ = ["retrain"]


@flow(name="retrain", flow_run_name="retrain-{name}")
@cancel_when_stopped
@takes_options
def retrain(options: RetrainOptions) -> dict[str, Any]:
    """Train a challenger on the newest data, and promote it if it proves better.

    Returns:
        The summary: outcome, reasons, both detectors, where everything is.

    Raises:
        ConfigError: The name is that of detectors of the other modality, or options contradict
            each other or the champion.
        UnknownModelError: There is no champion to challenge, and no detector is packaged.
    """
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    policy = load_policy(options.policy, held_out=options.held_out or options.benchmark)
    held_out = None if policy.held_out is None else read_held_out_set(root, policy.held_out)
    training.log_deferred(root.runs, uri=uri)
    name = options.registered_name
    _reject_other_models(name, modality=options.modality)
    champion = steps.find_champion(name, modality=options.modality, data_root=options.data_root)
    opened = [open_dataset(one, data_root=options.data_root) for one in options.dataset]
    snapshots = [snapshot for snapshot, _ in opened]
    reject_held_out_media(snapshots)
    config = challenger_config(champion.bundle, options)
    notes = [note for _, found in opened for note in found]
    summary = {
        "model_name": name,
        "modality": options.modality,
        "champion": champion.as_record(),
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
    }
    if is_same_training(champion.bundle, snapshots, config=config, start=options.start):
        reason = "the champion learnt from these very snapshots, with these settings"
        return {**summary, "outcome": "nothing_new", "reasons": [reason], "notes": notes}
    compared = files_to_compare(root, snapshots, held_out=held_out, champion=champion.bundle)
    key = retrain_key(config, snapshots=snapshots, champion=champion.bundle, name=name)
    tags = {
        **run_tags("retrain", snapshots, stage="train"),
        "retrain_key": key,
        "modality": options.modality,
        "champion_version": str(champion.version or "none"),
        "champion_digest": champion.bundle.digest,
    }
    run_dir = root.runs / f"retrain-{name}-{key}"
    trained, run_id = _train(
        snapshots,
        config=config,
        run_dir=run_dir,
        name=name,
        device=options.device,
        tags=tags,
        uri=uri,
    )
    challenger = open_bundle(trained.bundle)
    challenge = Challenge(
        champion, challenger, name, policy, held_out, folder=trained.run_dir / "decision"
    )
    decision = challenge.earlier_decision()
    if decision is None:
        measurements = _measure(champion.bundle, challenger, compared, options=options)
        decision = challenge.decide(measurements, root=root)
        steps.save_decision(decision, challenge.folder)
    else:
        notes.append(f"decided at {decision.decided_at}: nothing has changed since")
    done = _publish(
        decision,
        challenge,
        run_id=run_id,
        run_dir=trained.run_dir,
        compared=compared,
        tags=tags,
        uri=uri,
    )
    return {
        **summary,
        **done,
        "bundle": str(trained.bundle),
        "run_dir": str(trained.run_dir),
        "metrics": dict(trained.metrics),
        "run_id": run_id,
        "notes": [*notes, *trained.notes, *done["notes"]],
    }


def _reject_other_models(name: str, *, modality: Modality) -> None:
    """Reject the name of the registered model of another modality: others score with it."""
    if modality == "sync":
        raise ConfigError(
            "detectors of lips against sound are not retrained by rule",
            hint="By hand: `deepfake train --modality sync`, `evaluate`, `models promote`.",
        )
    others = {"faces": (VOICE_MODEL_NAME, SYNC_MODEL_NAME), "voice": (MODEL_NAME, SYNC_MODEL_NAME)}
    if name in others[modality]:
        raise ConfigError(f"{name!r} has no detectors of {modality}", hint="Name another --name.")


def _train(
    snapshots: Sequence[Snapshot],
    *,
    config: AnyTrainConfig,
    run_dir: Path,
    name: str,
    device: str,
    tags: dict[str, str],
    uri: str,
) -> tuple[TrainResult, str | None]:
    """Return the challenger and its run: trained now, gone on with, or finished before."""
    folder = RunFolder(run_dir)
    begun = steps.find_begun_run({"retrain_key": tags["retrain_key"], "stage": "train"}, uri=uri)
    if folder.result.is_file():
        result = read_result(folder.result)
    else:
        with one_training():
            result, begun = training.fit(
                snapshots,
                config=config,
                run_dir=run_dir,
                name=name,
                device=device,
                resume=folder.config.is_file(),
                tags=tags,
                uri=uri,
                run_id=begun,
            )
    run_id = training.log_to_mlflow(
        result, snapshots=snapshots, config=config, tags=tags, run_id=begun, uri=uri
    )
    return result, run_id


def _measure(
    champion: AnyBundle,
    challenger: AnyBundle,
    compared: Sequence[ComparedFiles],
    *,
    options: RetrainOptions,
) -> Measurements:
    """Measure both on the same files, and what a face or window costs them on the first of these.

    Raises:
        DataError: The files differ.
    """
    cache, device = engine_cache(), options.device
    measure = _measure_voices if options.modality == "voice" else _measure_faces
    pairs = [measure(champion, challenger, files, device=device, cache=cache) for files in compared]
    cost = None
    if compared:
        snapshot, index = compared[0].snapshot, compared[0].index
        cost = steps.measure_cost(
            champion.path, challenger.path, snapshot, index, device=device, cache=cache
        )
    return gather_measurements(compared, pairs, cost=cost)


def _measure_voices(
    champion: AnyBundle, challenger: AnyBundle, files: ComparedFiles, *, device: str, cache: Path
) -> MeasuredPair:
    seed = challenger.spec.seed
    selected = SelectedSplit(files.name, files.index, files.outcomes)
    champions, challengers = (
        evaluating.evaluate_voice_files(
            bundle.path, files.snapshot, selected, device=device, cache=cache, seed=seed
        )
        for bundle in (champion, challenger)
    )
    return measure_voice_pair(files.name, champions, challengers, seed=seed)


def _measure_faces(
    champion: AnyBundle, challenger: AnyBundle, files: ComparedFiles, *, device: str, cache: Path
) -> MeasuredPair:
    seed = challenger.spec.seed
    results = []
    for bundle in (champion, challenger):
        crops = evaluating.predict(
            bundle.path, files.snapshot, files.index, device=device, precision="f32", cache=cache
        )
        results.append(evaluating.compute_metrics(bundle.path, crops, files.outcomes, seed=seed))
    return measure_pair(files.name, results[0], results[1], seed=seed)


def _publish(
    decision: Decision,
    challenge: Challenge,
    *,
    run_id: str | None,
    run_dir: Path,
    compared: Sequence[ComparedFiles],
    tags: dict[str, str],
    uri: str,
) -> dict[str, Any]:
    """Log the decision, register, give the alias, and return what a summary says of it."""
    name, digest = challenge.name, challenge.challenger.digest
    champion = challenge.champion.version
    decision_run = steps.log_decision_to_mlflow(
        decision,
        challenge.folder,
        key=tags["retrain_key"],
        tags=tags,
        trained_by=run_id,
        snapshots=[files.snapshot for files in compared],
        uri=uri,
    )
    version = steps.register(
        run_id,
        run_dir=run_dir,
        name=name,
        digest=digest,
        tags=version_tags(decision, decision_run=decision_run, champion=champion),
        uri=uri,
    )
    alias, why_not = steps.assign_alias(
        decision,
        name=name,
        version=version,
        champion=champion,
        why=f"decision {decision_run}: {'; '.join(decision.reasons)}",
        uri=uri,
    )
    markdown = decision_markdown(decision)
    create_markdown_artifact(
        key="retrain", markdown=markdown, description=f"{name} version {version}: {alias}"
    )
    return {
        "outcome": decision.outcome,
        "reasons": decision.reasons,
        "markdown": markdown,
        "model_version": version,
        "alias": alias,
        "num_looks": decision.num_looks,
        "decision_run_id": decision_run,
        "notes": [why_not] if why_not else [],
    }
