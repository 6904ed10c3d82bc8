"""Forget a medium: remove it, and everything made from it, wherever this program has put it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deepfake.errors import DataError
from deepfake.forgetting.clips import remove_clips
from deepfake.forgetting.corpora import list_corpora, remove_from_corpus
from deepfake.forgetting.evaluations import delete_partial_files, remove_from_evaluations
from deepfake.forgetting.identify import identify_media
from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.forgetting.not_removed import describe_remains, describe_warnings
from deepfake.forgetting.prefect_home import remove_task_results
from deepfake.forgetting.scored_folder import remove_from_scored_folder
from deepfake.forgetting.splits import SplitPlan, plan_splits, remove_from_splits
from deepfake.registry import mask_credentials
from deepfake.scoring import ScoresFolder, list_outputs
from deepfake.storage import (
    DataRoot,
    Location,
    StorePath,
    clear_copies,
    read_json,
    write_json,
)

__all__ = ["ForgetResult", "forget"]


@dataclass(frozen=True)
class ForgetResult:
    """What was removed, and what could not be.

    Attributes:
        media: All digests and names of the media.
        removals: What was removed, or would be in a dry run, in this order.
        remains: What this program cannot remove, a sentence or two each.
        warnings: What the user has to do, a sentence each.
    """

    media: MediaToForget
    removals: tuple[Removal, ...]
    remains: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _ForgetPlan:
    """What is decided before anything is removed; kept on disk until everything is removed."""

    media: MediaToForget
    splits: dict[str, SplitPlan] = field(default_factory=dict)


def forget(
    root: DataRoot,
    media_names: str,
    *,
    outputs: Sequence[Location] = (),
    prefect_home: Path | None = None,
    is_dry_run: bool = False,
) -> ForgetResult:
    """Remove media from everything under a data root and from all scored folders noted there.

    If this is killed, the next call completes it, whichever media that call names.

    Args:
        root: The data root.
        media_names: A media_id, or the URI or path of a file.
        outputs: Scored folders, here or in an object store, beside those noted under the data root.
        prefect_home: Where Prefect keeps results; None for its place under the data root.
        is_dry_run: Only say what would be removed.

    Raises:
        DataError: A run is using one of the scored folders, and nothing was removed; or a file is
            damaged.
        StoreError: A store refused or did not answer.
    """
    absolute = (place.absolute() if isinstance(place, Path) else place for place in outputs)
    every = sorted({*list_outputs(root), *absolute}, key=str)
    present = [output for output in every if output.is_dir()]
    home = prefect_home or root.prefect_home
    plan_file = root.path / "forgetting.json"
    with ExitStack() as stack:
        if not is_dry_run:
            for output in present:
                stack.enter_context(ScoresFolder(output).lock())
            delete_partial_files(root)
        plan = _plan(root, present, media_names, unfinished=_read_plan(plan_file))
        is_new_root = not root.path.exists()
        if not is_dry_run:
            # Written first: after a kill, the tables that name the media may be gone already.
            write_json(plan_file, _plan_record(plan))
        removals = tuple(_remove(root, present, home, plan, is_dry_run=is_dry_run))
        if not is_dry_run:
            plan_file.unlink()
            if is_new_root and isinstance(root.path, Path):
                root.path.rmdir()
    if any(isinstance(place, StorePath) for place in (root.path, *every)):
        clear_copies()
    missing = [output for output in every if output not in present]
    return ForgetResult(
        plan.media,
        removals,
        remains=tuple(describe_remains(root, home, plan.media, removals)),
        warnings=tuple(describe_warnings(plan.media, missing=missing)),
    )


def _plan(
    root: DataRoot, outputs: Sequence[Location], named: str, *, unfinished: _ForgetPlan | None
) -> _ForgetPlan:
    """Decide what is meant and which split groups change, while all tables still name the media."""
    before = unfinished or _ForgetPlan(MediaToForget(frozenset(), frozenset()))
    media = identify_media(root, outputs, named, unfinished=before.media)
    # A log may have masked what looked like a secret in a path.
    media = replace(media, uris=media.uris | {mask_credentials(uri) for uri in media.uris})
    splits: dict[str, SplitPlan] = {}
    # Groups of clips are named after groups of stills, whose new names the first pass finds.
    for _ in range(2):
        splits = {corpus: plan_splits(root, corpus, media) for corpus in list_corpora(root)}
        groups = {old: new for plan in splits.values() for old, new in plan.groups.items()}
        media = replace(media, groups={**media.groups, **groups})
    merged = {
        corpus: SplitPlan(plan.keys | before.splits.get(corpus, SplitPlan()).keys, plan.groups)
        for corpus, plan in splits.items()
    }
    return _ForgetPlan(media, merged)


def _remove(
    root: DataRoot, outputs: Sequence[Location], home: Path, plan: _ForgetPlan, *, is_dry_run: bool
) -> Iterator[Removal]:
    media = plan.media
    for output in outputs:
        yield from remove_from_scored_folder(ScoresFolder(output), media, is_dry_run=is_dry_run)
    for corpus, split_plan in plan.splits.items():
        yield from remove_from_corpus(root, corpus, media, is_dry_run=is_dry_run)
        yield from remove_from_splits(root, corpus, split_plan, media, is_dry_run=is_dry_run)
    yield from remove_from_evaluations(root, media, is_dry_run=is_dry_run)
    yield from remove_clips(root, media, is_dry_run=is_dry_run)
    yield from remove_task_results(home, media, is_dry_run=is_dry_run)


def _read_plan(path: Location) -> _ForgetPlan | None:
    if not path.is_file():
        return None
    record = read_json(path)
    try:
        media = MediaToForget(
            frozenset(record["media_ids"]), frozenset(record["uris"]), dict(record["groups"])
        )
        splits = {corpus: SplitPlan(frozenset(keys)) for corpus, keys in record["keys"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError("not a plan of what to forget", path=path) from error
    return _ForgetPlan(media, splits)


def _plan_record(plan: _ForgetPlan) -> dict[str, Any]:
    return {
        "media_ids": sorted(plan.media.media_ids),
        "uris": sorted(plan.media.uris),
        "groups": dict(plan.media.groups),
        "keys": {corpus: sorted(split_plan.keys) for corpus, split_plan in plan.splits.items()},
    }
