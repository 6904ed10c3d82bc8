"""Removing a medium's crops, scores and evidence from wherever this program put them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deepfake.errors import DataError, DeepfakeError
from deepfake.forgetting.corpora import corpora_of, forget_in_corpus
from deepfake.forgetting.other_files import (
    clear_leftovers,
    database_names,
    forget_elsewhere,
    forget_results,
)
from deepfake.forgetting.scores import forget_in_output
from deepfake.forgetting.scrub import Subject, Trace
from deepfake.forgetting.splits import SplitPlan, forget_in_splits, plan_splits
from deepfake.forgetting.subjects import find_subject
from deepfake.registry import masked
from deepfake.scoring import ScoresFolder, noted_outputs
from deepfake.storage import (
    DataRoot,
    Location,
    StorePath,
    clear_copies,
    is_store_uri,
    is_there,
    read_json,
    write_json,
)

__all__ = ["Forgetting", "forget"]


@dataclass(frozen=True)
class Forgetting:
    """What was forgotten, and what could not be.

    Attributes:
        subject: Every content and every name that was meant.
        traces: What was, or would be, removed, in this order.
        remains: What this program cannot remove, a sentence each.
        warnings: What the user has to do, a sentence each.
    """

    subject: Subject
    traces: tuple[Trace, ...]
    remains: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Begun:
    """What was decided before anything was removed; kept on disk until all of it is done."""

    subject: Subject
    plans: dict[str, SplitPlan] = field(default_factory=dict)


def forget(
    root: DataRoot,
    named: str,
    *,
    outputs: Sequence[Location] = (),
    prefect_home: Path | None = None,
    is_dry_run: bool = False,
) -> Forgetting:
    """Remove media from everything under a data root and from all scores that were noted there.

    Killed on the way, the next call goes on with what was begun, whatever it is asked for.

    Args:
        root: The data root.
        named: A media_id, or the URI or path of a file.
        outputs: Folders of scores, here or in a store, beside those noted under the data root.
        prefect_home: Where Prefect keeps results; None for its place under the data root.
        is_dry_run: Only say what would be removed.

    Raises:
        DataError: A run is at work on one of the outputs, or a file is damaged. Nothing was
            removed in the first case.
        StoreError: A store refused or did not answer.
    """
    named_too = (place.absolute() if isinstance(place, Path) else place for place in outputs)
    every = sorted({*noted_outputs(root), *named_too}, key=str)
    there = [output for output in every if output.is_dir()]
    home = prefect_home or root.prefect_home
    note = root.path / "forgetting.json"
    with ExitStack() as stack:
        if not is_dry_run:
            for output in there:
                stack.enter_context(ScoresFolder(output).held())
            clear_leftovers(root)
        begun = _plan(root, there, named, begun=_read(note))
        is_new_root = not root.path.exists()
        if not is_dry_run:
            # What names the media may be removed before something that is only found by it.
            write_json(note, _as_record(begun))
        traces = tuple(_remove(root, there, home, begun, is_dry_run=is_dry_run))
        if not is_dry_run:
            note.unlink()
            if is_new_root and isinstance(root.path, Path):
                root.path.rmdir()
    if any(isinstance(place, StorePath) for place in (root.path, *every)):
        clear_copies()
    subject = begun.subject
    return Forgetting(
        subject,
        traces,
        tuple(_remains(root, home, subject, traces)),
        tuple(_warnings(subject, gone=[o for o in every if o not in there])),
    )


def _plan(
    root: DataRoot, outputs: Sequence[Location], named: str, *, begun: _Begun | None
) -> _Begun:
    subject = find_subject(root, outputs, named, begun=None if begun is None else begun.subject)
    # A path in a log may be written otherwise, for what looked like a secret in it.
    uris = subject.uris | {masked(uri) for uri in subject.uris}
    subject = replace(subject, uris=uris)
    before = {} if begun is None else begun.plans
    plans: dict[str, SplitPlan] = {}
    # Groups of clips are named after groups of stills: those are known the second time.
    for _ in range(2):
        plans = {corpus: plan_splits(root, corpus, subject) for corpus in corpora_of(root)}
        groups = {old: new for plan in plans.values() for old, new in plan.groups.items()}
        subject = replace(subject, groups={**subject.groups, **groups})
    merged = {
        corpus: SplitPlan(plan.keys | before.get(corpus, SplitPlan()).keys, plan.groups)
        for corpus, plan in plans.items()
    }
    return _Begun(subject, merged)


def _remove(
    root: DataRoot, outputs: Sequence[Location], home: Path, begun: _Begun, *, is_dry_run: bool
) -> Iterator[Trace]:
    subject = begun.subject
    for output in outputs:
        yield from forget_in_output(ScoresFolder(output), subject, is_dry_run=is_dry_run)
    for corpus, plan in begun.plans.items():
        yield from forget_in_corpus(root, corpus, subject, is_dry_run=is_dry_run)
        yield from forget_in_splits(root, corpus, plan, subject, is_dry_run=is_dry_run)
    yield from forget_elsewhere(root, subject, is_dry_run=is_dry_run)
    yield from forget_results(home, subject, is_dry_run=is_dry_run)


def _read(note: Location) -> _Begun | None:
    if not note.is_file():
        return None
    told = read_json(note)
    try:
        subject = Subject(
            frozenset(told["media_ids"]), frozenset(told["uris"]), dict(told["groups"])
        )
        plans = {corpus: SplitPlan(frozenset(keys)) for corpus, keys in told["keys"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError("not a note on what is being forgotten", path=note) from error
    return _Begun(subject, plans)


def _as_record(begun: _Begun) -> dict[str, Any]:
    return {
        "media_ids": sorted(begun.subject.media_ids),
        "uris": sorted(begun.subject.uris),
        "groups": dict(begun.subject.groups),
        "keys": {corpus: sorted(plan.keys) for corpus, plan in begun.plans.items()},
    }


def _remains(
    root: DataRoot, home: Path, subject: Subject, traces: Sequence[Trace]
) -> Iterator[str]:
    if not traces:
        return
    detectors = [str(p.parent) for p in sorted(root.runs.glob("*/bundle/detector.json"))]
    trained = [d for d in detectors if _has_learnt(root, Path(d), traces)]
    yield (
        "What a detector learnt from it stays in the detector's weights: train it anew without."
        + (
            f" These were trained or calibrated on a corpus that held it: {', '.join(trained)}."
            if trained
            else ""
        )
    )
    yield (
        "MLflow holds sums and figures over all files, of which it was one; no list of files, "
        "no crops. Detectors that are registered there are as trained as those here."
    )
    if database_names(home, subject):
        yield (
            f"Prefect's database in {home} names it in a run's parameters or messages: "
            "`prefect server database reset` empties it."
        )
    yield (
        "Receipts, copies of tables, clips made elsewhere than in the data root's clips/, other "
        "data roots and backups: where they are is not known."
    )
    if any(is_store_uri(trace.path) for trace in traces):
        yield (
            "A bucket that keeps versions keeps what was removed: delete its older versions. Other "
            "machines that worked with it keep names in their own state and copies of objects "
            "among their caches: run this there too, or delete `deepfake` among their caches."
        )
    yield "Blocks of the disk that held removed files keep their bytes until they are used again."


def _has_learnt(root: DataRoot, bundle: Path, traces: Sequence[Trace]) -> bool:
    try:
        told = read_json(bundle / "detector.json")
        corpora = {*told.get("data_digests", {}), *told.get("calibration_digests", {})}
    except (DataError, AttributeError, TypeError):
        return False
    touched = [str(root.corpus_shards(corpus)) + "/" for corpus in corpora]
    return any(trace.path.startswith(folder) for trace in traces for folder in touched)


def _warnings(subject: Subject, *, gone: Sequence[Location]) -> Iterator[str]:
    for uri in sorted(subject.uris):
        with suppress(DeepfakeError, OSError):
            if not is_there(uri):
                continue
            yield f"the file itself still lies there, and the next run scores it again: {uri}"
    for output in gone:
        yield f"scores once went to a folder that is not there now: {output}"
