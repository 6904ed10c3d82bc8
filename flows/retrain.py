"""The flow `retrain`: train a challenger on what is new, compare it, promote it if it is better.

A run is named after everything that it depends on. Killed at any moment and started again, it goes
on: from the last checkpoint, or from whatever step is not done. A version is registered once
bundle, comparison and decision are there, and gets its alias last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from deepfake import __version__
from deepfake.config import TrainConfig, digest_of
from deepfake.config.options import RetrainOptions, takes_options
from deepfake.corpora.held_out import (
    HeldOutSet,
    read_held_out_set,
    record_use,
    refuse_held_out_media,
)
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import DataError
from deepfake.evaluation.promotion import (
    ComparedFiles,
    Contender,
    Decision,
    MeasuredPair,
    Measurements,
    PromotionPolicy,
    decide,
    decision_markdown,
    files_to_compare,
    load_policy,
    measure_pair,
    read_decision,
)
from deepfake.registry import masked, run_source, tracking_uri, ui_command
from deepfake.storage import DataRoot, engine_cache, location_of
from deepfake.training import RunFolder, TrainResult, read_result
from deepfake.training.challenger import challenger_config, is_nothing_new, retrain_key
from flows.ingest import open_dataset
from flows.server.cancelling import ends_cancelled
from flows.server.limits import one_training
from tasks import evaluate as evaluating
from tasks import retrain as steps
from tasks import train as training

__all__ = ["retrain"]


@flow(name="retrain", flow_run_name="retrain-{name}")
@ends_cancelled
@takes_options
def retrain(options: RetrainOptions) -> dict[str, Any]:
    """Train a challenger on the newest data, and promote it if it proves better.

    Returns:
        The summary: outcome, reasons, both detectors, where everything is.
    """
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    rules = _rules(options.policy, held_out=options.held_out or options.benchmark)
    held_out = None if rules.held_out is None else read_held_out_set(root, rules.held_out)
    training.log_deferred(root.runs, uri=uri)
    name = options.name
    champion = _Champion.of(steps.find_champion(name, data_root=options.data_root))
    opened = [open_dataset(one, data_root=options.data_root) for one in options.dataset]
    snapshots = [snapshot for snapshot, _ in opened]
    refuse_held_out_media(snapshots)
    config = challenger_config(champion.bundle, options)
    notes = [note for _, found in opened for note in found]
    summary = {
        "model_name": name,
        "champion": {
            "name": champion.identity.name,
            "version": champion.identity.version,
            "digest": champion.bundle.digest,
        },
        "tracking_uri": masked(uri),
        "ui_command": ui_command(uri),
    }
    if is_nothing_new(champion.bundle, snapshots, config=config, start=options.start):
        reason = "the champion learnt from these very snapshots, with these settings"
        return {**summary, "outcome": "nothing_new", "reasons": [reason], "notes": notes}
    parts = files_to_compare(root, snapshots, held_out=held_out, champion=champion.bundle)
    key = retrain_key(config, snapshots=snapshots, champion=champion.bundle, name=name)
    tried = _train(
        snapshots,
        config=config,
        run_dir=root.runs / f"retrain-{name}-{key}",
        name=name,
        device=options.device,
        tags=_tags(snapshots, key=key, champion=champion),
        uri=uri,
    )
    decision, is_old = _decide(
        champion,
        tried,
        parts,
        rules=rules,
        held_out=held_out,
        name=name,
        root=root,
        device=options.device,
    )
    if is_old:
        notes.append(f"decided at {decision.decided_at}: nothing has changed since")
    done = _conclude(decision, champion=champion, tried=tried, parts=parts, name=name, uri=uri)
    return {**summary, **done, "notes": [*notes, *done["notes"]]}


@dataclass(frozen=True, slots=True)
class _Champion:
    """The version that is challenged, or the packaged detector where nobody is champion."""

    identity: DetectorIdentity
    bundle: Bundle

    @classmethod
    def of(cls, identity: DetectorIdentity) -> _Champion:
        return cls(identity, load_bundle(identity.path))

    @property
    def version(self) -> int | None:
        return None if self.identity.version is None else int(self.identity.version)

    @property
    def contender(self) -> Contender:
        identity = self.identity
        return Contender(name=identity.name, version=identity.version, digest=self.bundle.digest)


def _rules(policy: str, *, held_out: str | None) -> PromotionPolicy:
    rules = load_policy(policy)
    return rules if held_out is None else rules.model_copy(update={"held_out": held_out})


def _tags(snapshots: Sequence[Snapshot], *, key: str, champion: _Champion) -> dict[str, str]:
    return {
        "stage": "train",
        "corpus": ", ".join(s.corpus for s in snapshots),
        **{f"data.{s.corpus}": s.digest for s in snapshots},
        "code_version": __version__,
        "retrain_key": key,
        "champion_version": str(champion.version or "none"),
        "champion_digest": champion.bundle.digest,
        **run_source("retrain"),
    }


@dataclass(frozen=True, slots=True)
class _Tried:
    """A trained challenger."""

    result: TrainResult
    bundle: Bundle
    run_id: str | None
    tags: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.result.run_dir / "decision"


def _train(
    snapshots: Sequence[Snapshot],
    *,
    config: TrainConfig,
    run_dir: Path,
    name: str,
    device: str,
    tags: dict[str, str],
    uri: str,
) -> _Tried:
    """Return the challenger: trained now, gone on with, or finished before."""
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
    return _Tried(result, load_bundle(result.bundle), run_id, tags)


def _decide(
    champion: _Champion,
    tried: _Tried,
    parts: Sequence[ComparedFiles],
    *,
    rules: PromotionPolicy,
    held_out: HeldOutSet | None,
    name: str,
    root: DataRoot,
    device: str,
) -> tuple[Decision, bool]:
    """Return the decision, and whether an earlier run came to it."""
    kept = _decided(tried, rules=rules, held_out=held_out)
    if kept is not None:
        return kept, True
    measurements = _measure_both(champion.bundle, tried.bundle, parts, device=device, root=root)
    decision = decide(
        rules,
        measurements,
        champion=champion.contender,
        challenger=Contender(name=name, version=None, digest=tried.bundle.digest),
        data_digests=tried.bundle.spec.data_digests,
        held_out_digest=None if held_out is None else held_out.digest,
        num_looks=_look(root, held_out, champion.bundle, tried.bundle),
    )
    steps.save_decision(decision, tried.folder)
    return decision, False


def _measure_both(
    champion: Bundle,
    challenger: Bundle,
    parts: Sequence[ComparedFiles],
    *,
    device: str,
    root: DataRoot,
) -> Measurements:
    """Measure both on the same files, and what a face costs them on the first of these."""
    cache = engine_cache()
    pairs = [
        (part, _measure_part(champion, challenger, part, device=device, cache=cache))
        for part in parts
    ]
    cost = None
    if parts:
        snapshot, index = parts[0].snapshot, parts[0].index
        cost = steps.measure_cost(
            champion.path, challenger.path, snapshot, index, device=device, cache=cache
        )
    return Measurements(
        held_out=next((pair for part, pair in pairs if part.is_held_out), None),
        tests=tuple(pair for part, pair in pairs if not part.is_held_out),
        cost=cost,
        notes=tuple(f"{part.name}: {note}" for part in parts for note in part.notes),
    )


def _measure_part(
    champion: Bundle, challenger: Bundle, part: ComparedFiles, *, device: str, cache: Path
) -> MeasuredPair:
    seed = challenger.spec.seed
    results = []
    for bundle in (champion, challenger):
        crops = evaluating.predict(
            bundle.path, part.snapshot, part.index, device=device, precision="f32", cache=cache
        )
        results.append(evaluating.compute_metrics(bundle.path, crops, part.outcomes, seed=seed))
    return measure_pair(part.name, results[0], results[1], seed=seed)


def _look(root: DataRoot, held_out: HeldOutSet | None, *bundles: Bundle) -> int:
    if held_out is None:
        return 0
    detectors = tuple(bundle.digest for bundle in bundles)
    return record_use(root, held_out.name, detectors=detectors, by="retrain")


def _decided(
    tried: _Tried, *, rules: PromotionPolicy, held_out: HeldOutSet | None
) -> Decision | None:
    """Return the decision that an earlier run came to, if it asked the same of the same."""
    path = tried.folder / "decision.json"
    try:
        kept = read_decision(path) if path.is_file() else None
    except DataError:
        return None
    if kept is None:
        return None
    wanted = (rules, None if held_out is None else held_out.digest, tried.bundle.digest)
    return kept if wanted == (kept.policy, kept.held_out_digest, kept.challenger.digest) else None


def _conclude(
    decision: Decision,
    *,
    champion: _Champion,
    tried: _Tried,
    parts: Sequence[ComparedFiles],
    name: str,
    uri: str,
) -> dict[str, Any]:
    """Tell MLflow, register, give the alias, and return what a summary says of it."""
    key = tried.tags["retrain_key"]
    tags = {"stage": "decision", "outcome": decision.outcome, "model_digest": tried.bundle.digest}
    decision_run = steps.log_decision_to_mlflow(
        decision,
        tried.folder,
        run_name=f"decision-{key}",
        tags={**tried.tags, **tags},
        key=_decision_key(decision, key=key),
        trained_by=tried.run_id,
        snapshots=[part.snapshot for part in parts],
        uri=uri,
    )
    version = steps.register(
        tried.run_id,
        run_dir=tried.result.run_dir,
        name=name,
        digest=tried.bundle.digest,
        tags=_version_tags(decision, decision_run=decision_run, champion=champion),
        uri=uri,
    )
    alias, why_not = steps.assign_alias(
        decision,
        name=name,
        version=version,
        champion=champion.version,
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
        "bundle": str(tried.result.bundle),
        "run_dir": str(tried.result.run_dir),
        "metrics": dict(tried.result.metrics),
        "num_looks": decision.num_looks,
        "run_id": tried.run_id,
        "decision_run_id": decision_run,
        "notes": [*tried.result.notes, *([why_not] if why_not else [])],
    }


def _decision_key(decision: Decision, *, key: str) -> str:
    # The policy as version 0.1 wrote it: its decisions keep their keys.
    policy = decision.policy.model_dump(mode="json")
    policy["benchmark"] = policy.pop("held_out")
    return digest_of(key, policy, decision.held_out_digest, decision.challenger.digest)


def _version_tags(decision: Decision, *, decision_run: str, champion: _Champion) -> dict[str, str]:
    return {
        "stage": "retrain",
        **{f"data.{corpus}": digest for corpus, digest in decision.data_digests.items()},
        "decision": decision.outcome,
        "decision.run_id": decision_run,
        "decision.at": decision.decided_at,
        "decision.champion": str(champion.version or "none"),
        "decision.held_out": decision.policy.held_out or "none",
    }
