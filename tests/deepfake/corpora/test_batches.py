"""Dividing media into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake.corpora.batches import Batch, MediumToExtract, cut_batches, plan_batches
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.types import Kind

_COST = {Kind.IMAGE: 1, Kind.VIDEO: 64, Kind.AUDIO: 8}
_MAX_COST = 200

kinds = st.lists(st.sampled_from(list(Kind)), min_size=0, max_size=30)


def _work(found: Sequence[Kind]) -> list[MediumToExtract]:
    return [MediumToExtract(f"{i:064x}", kind) for i, kind in enumerate(found)]


def _plan(
    work: Sequence[MediumToExtract],
    *,
    known: Mapping[str, Sequence[str]] | None = None,
    finished: Mapping[str, Sequence[str]] | None = None,
    settings_digest: str = "s",
) -> list[Batch]:
    return plan_batches(
        work, settings_digest=settings_digest, known=known, finished=finished, max_cost=_MAX_COST
    )


def _as_parts(batches: Sequence[Batch]) -> dict[str, tuple[str, ...]]:
    return {batch.key: batch.media_ids for batch in batches}


def _keys(batches: Sequence[Batch]) -> set[str]:
    return {batch.key for batch in batches}


def _assert_covers(batches: Sequence[Batch], work: Sequence[MediumToExtract]) -> None:
    covered = [media_id for batch in batches for media_id in batch.media_ids]
    assert sorted(covered) == sorted(item.media_id for item in work)
    assert all(batch.media_ids for batch in batches)
    assert len(_keys(batches)) == len(batches)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[MediumToExtract], dict[str, tuple[str, ...]]]:
    """Media, and parts that earlier runs left: of other files, other limits, half finished."""
    work = _work(draw(kinds))
    left: dict[str, tuple[str, ...]] = {}
    for _ in range(draw(st.integers(0, 2))):
        some = [item for item in work if draw(st.booleans())]
        gone = [MediumToExtract("f" * 64, Kind.IMAGE)] if draw(st.booleans()) else []
        cost = draw(st.sampled_from([65, 130, 200]))
        batches = plan_batches([*gone, *some], settings_digest="s", max_cost=cost)
        left.update(_as_parts([b for b in batches if draw(st.booleans())]))
    return work, left


@settings(max_examples=150, deadline=None)
@given(histories())
def test_every_medium_is_covered_once(
    history: tuple[list[MediumToExtract], dict[str, tuple[str, ...]]],
) -> None:
    work, left = history
    _assert_covers(_plan(work), work)
    _assert_covers(_plan(work, finished=left), work)
    _assert_covers(_plan(work, known=left, finished=left), work)


@settings(max_examples=300, deadline=None)
@given(histories(), st.data())
def test_a_killed_run_plans_the_same_again(
    history: tuple[list[MediumToExtract], dict[str, tuple[str, ...]]], data: st.DataObject
) -> None:
    """Whichever parts were finished when it was killed, and whatever else lay there."""
    work, left = history
    undisturbed = _plan(work, finished=left)
    done = [batch for batch in undisturbed if data.draw(st.booleans())]
    assert _keys(_plan(work, finished={**left, **_as_parts(done)})) == _keys(undisturbed)


@settings(max_examples=100, deadline=None)
@given(kinds, st.data())
def test_known_parts_are_kept_where_all_their_media_are_wanted(
    found: list[Kind], data: st.DataObject
) -> None:
    work = _work(found)
    before = _plan([item for item in work if data.draw(st.booleans())])
    wanted = [item for item in work if data.draw(st.integers(0, 5))]
    now = _plan(wanted, known=_as_parts(before))
    _assert_covers(now, wanted)
    ids = {item.media_id for item in wanted}
    kept = {batch.key for batch in before if ids.issuperset(batch.media_ids)}
    assert kept <= _keys(now)


@settings(max_examples=100, deadline=None)
@given(kinds)
def test_batches_are_full_but_not_more(found: list[Kind]) -> None:
    work = _work(found)
    cost = {item.media_id: _COST[item.kind] for item in work}
    batches = _plan(work)
    totals = [sum(cost[m] for m in batch.media_ids) for batch in batches]
    assert all(total <= _MAX_COST for total in totals)
    firsts = [cost[batch.media_ids[0]] for batch in batches[1:]]
    assert all(a + b > _MAX_COST for a, b in zip(totals, firsts, strict=False))


def test_files_of_a_batch_can_be_limited() -> None:
    batches = plan_batches(_work([Kind.IMAGE] * 7), settings_digest="s", max_files=3)
    assert [len(batch.media_ids) for batch in batches] == [3, 3, 1]


def test_a_medium_over_the_cost_has_a_batch_of_its_own() -> None:
    batches = plan_batches(_work([Kind.IMAGE, Kind.VIDEO]), settings_digest="s", max_cost=10)
    assert [len(batch.media_ids) for batch in batches] == [1, 1]


def test_other_settings_are_other_parts() -> None:
    work = _work([Kind.VIDEO] * 4)
    old = _plan(work, settings_digest="old")
    now = _plan(work, known=_as_parts(old), finished=_as_parts(old), settings_digest="new")
    assert not _keys(now) & _keys(old)


def test_a_part_whose_name_is_not_its_content_is_not_used() -> None:
    work = _work([Kind.IMAGE])
    forged = {"0" * 16: (work[0].media_id,)}
    assert _keys(_plan(work, known=forged, finished=forged)) == _keys(_plan(work))


def test_a_medium_twice_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="twice"):
        _plan([*_work([Kind.IMAGE]), *_work([Kind.IMAGE])])


def test_whoever_asks_for_larger_batches_gets_them() -> None:
    rows = [ManifestRow(f"/{i}", "c", kind=Kind.VIDEO) for i in range(100)]
    assert [len(b) for b in cut_batches(rows, least=0)[0]] == [8] * 12 + [4]
    assert [len(b) for b in cut_batches(rows, least=0, max_files=3)[0]] == [3] * 33 + [1]
    assert [len(b) for b in cut_batches(rows, least=0, max_files=64)[0]] == [64, 36]
    planned = plan_batches(_work([Kind.VIDEO] * 100), settings_digest="s", max_files=64)
    assert [len(batch.media_ids) for batch in planned] == [64, 36]
