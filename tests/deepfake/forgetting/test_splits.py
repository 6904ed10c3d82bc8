"""Kept assignments after a medium is forgotten: its keys go, others keep group and split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from deepfake.config import SplitConfig
from deepfake.corpora.ingest import finish_manifest
from deepfake.corpora.manifest import read_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import Assignments, read_assignments, write_assignments
from deepfake.forgetting import forget
from deepfake.forgetting.media_to_forget import MediaToForget
from deepfake.forgetting.splits import plan_splits
from deepfake.storage import DataRoot
from deepfake.types import Label, Split

_IDS = [f"{number:x}" * 64 for number in range(10, 16)]


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    return DataRoot(tmp_path / "data")


def _row(number: int, *, identity: str | None = None, corpus: str = "c") -> ManifestRow:
    return ManifestRow(
        f"/m/{number}.png",
        corpus,
        media_id=_IDS[number],
        size_bytes=5,
        identity=identity,
        label=Label.REAL if number % 2 else Label.FAKE,
    )


def _settle(root: DataRoot, rows: Sequence[ManifestRow]) -> dict[str, tuple[str | None, str]]:
    placed, _ = finish_manifest(root, rows[0].corpus, rows, split=SplitConfig())
    return {row.uri: (row.group, str(row.split)) for row in placed}


def _kept(root: DataRoot, corpus: str = "c") -> Assignments:
    return read_assignments(root.splits / f"{corpus}.json")


def test_keys_of_the_medium_go_and_those_of_others_stay(root: DataRoot) -> None:
    rows = [_row(0, identity="anna"), _row(1, identity="ben"), _row(2, identity="ben"), _row(3)]
    before = _settle(root, rows)
    forget(root, _IDS[0])
    forget(root, _IDS[1])
    kept = _kept(root)
    assert f"media:{_IDS[0]}" not in kept.members
    assert "identity:anna" not in kept.members, "nobody else carries it"
    assert kept.members["identity:ben"] == before["/m/2.png"][0]
    assert set(kept.members) == {"identity:ben", f"media:{_IDS[2]}", f"media:{_IDS[3]}"}
    assert set(kept.splits) == set(kept.members.values())
    after = _settle(root, rows[2:])
    assert after == {uri: before[uri] for uri in ("/m/2.png", "/m/3.png")}


def test_a_group_that_is_named_after_the_medium_gets_another_name(root: DataRoot) -> None:
    # First the medium stands alone; later a person ties others to it, and the name stays.
    _settle(root, [_row(0), _row(4), _row(5)])
    tied = [_row(0, identity="anna"), _row(1, identity="anna"), _row(4), _row(5)]
    before = _settle(root, tied)
    assert before["/m/1.png"][0] == f"c/media:{_IDS[0]}"
    forget(root, _IDS[0])
    text = (root.splits / "c.json").read_text() + str(read_manifest(root.manifest("c")))
    assert _IDS[0] not in text
    after = _settle(root, tied[1:])
    assert after["/m/1.png"] == ("c/identity:anna", before["/m/1.png"][1])
    assert {u: g for u, g in after.items() if u != "/m/1.png"} == {
        u: g for u, g in before.items() if u in ("/m/4.png", "/m/5.png")
    }


def test_groups_of_clips_follow_those_of_their_stills(root: DataRoot) -> None:
    _settle(root, [_row(0), _row(4), _row(5)])
    _settle(root, [_row(0, identity="anna"), _row(1, identity="anna"), _row(4), _row(5)])
    old = f"c/media:{_IDS[0]}"
    members = {f"group:{old}": f"clips/group:{old}", "media:aa": f"clips/group:{old}"}
    kept = Assignments("grouped", {f"clips/group:{old}": Split.VAL}, members)
    write_assignments(root.splits / "clips.json", kept)
    forget(root, _IDS[0])
    renamed = "clips/group:c/identity:anna"
    assert _kept(root, "clips") == Assignments(
        "grouped",
        {renamed: Split.VAL},
        {"group:c/identity:anna": renamed, "media:aa": renamed},
    )


def test_nothing_is_planned_for_strangers(root: DataRoot) -> None:
    _settle(root, [_row(0), _row(4), _row(5)])
    plan = plan_splits(root, "c", MediaToForget(frozenset({"9" * 64}), frozenset({"/m/x.png"})))
    assert (plan.keys, plan.groups) == (frozenset(), {})
