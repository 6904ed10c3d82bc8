"""Groups stay whole, splits do not change, and leaks are errors."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake.config import SplitConfig
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import (
    Assignments,
    SharedIdentity,
    SplitResult,
    assign_splits,
    check_leakage,
    member_keys,
    read_assignments,
    write_assignments,
)
from deepfake.errors import ConfigError, DataError, SplitLeakageError
from deepfake.storage import sha256_of
from deepfake.types import Label, Split, Status

AUTO = SplitConfig()
GROUPED = SplitConfig(strategy="grouped")


def fake(target: str, source: str, method: str = "m", **columns: object) -> ManifestRow:
    name = f"{method}/{target}_{source}"
    row = ManifestRow(f"/c/{name}", "c", media_id=name, label=Label.FAKE, method=method)
    return replace(row, target_id=target, source_id=source, **columns)  # type: ignore[arg-type]


def real(identity: str | None, name: str | None = None, **columns: object) -> ManifestRow:
    name = name or f"real/{identity}"
    row = ManifestRow(f"/c/{name}", "c", media_id=name, label=Label.REAL, identity=identity)
    return replace(row, **columns)  # type: ignore[arg-type]


def pairs(num_pairs: int, *methods: str, first: int = 0) -> list[ManifestRow]:
    """Make a corpus in the manner of FaceForensics++: two originals, two fakes a method."""
    rows: list[ManifestRow] = []
    for number in range(first, first + num_pairs):
        a, b = f"{2 * number:03d}", f"{2 * number + 1:03d}"
        rows += [real(a), real(b)]
        rows += [fake(*ids, method) for method in methods for ids in ((a, b), (b, a))]
    return rows


def split_of(result: SplitResult) -> dict[str, Split | None]:
    return {row.uri: row.split for row in result.rows}


def test_connected_files_share_a_group_and_a_split() -> None:
    result = assign_splits(pairs(40, "Deepfakes", "FaceSwap"), config=AUTO)
    assert result.strategy == "grouped"
    splits, sizes = defaultdict(set), Counter(row.group for row in result.rows)
    for row in result.rows:
        splits[row.group].add(row.split)
    assert set(sizes.values()) == {6}
    assert {len(found) for found in splits.values()} == {1}
    assert result.shared_identities == ()


def test_one_name_under_four_methods_stays_four_rows_of_one_group() -> None:
    rows = pairs(5, "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    result = assign_splits(rows, config=AUTO)
    placed = [row for row in result.rows if row.uri.endswith("/000_001")]
    assert len(placed) == 4
    assert len({row.uri for row in placed}) == 4
    assert len({row.group for row in placed}) == 1


def test_a_source_ties_like_a_target() -> None:
    rows = [fake("1", "9"), fake("2", "9"), *(real(f"x{i}") for i in range(9))]
    result = assign_splits(rows, config=AUTO)
    assert result.rows[0].group == result.rows[1].group


def test_every_label_and_method_comes_close_to_the_fractions() -> None:
    rows = pairs(200, "Deepfakes", "FaceSwap")
    rows += [fake(f"n{i}", f"m{i}", "NeuralTextures") for i in range(100)]
    counts = Counter((r.method, r.split) for r in assign_splits(rows, config=AUTO).rows)
    for method, total in Counter(row.method for row in rows).items():
        for split, share in ((Split.TRAIN, 0.7), (Split.VAL, 0.15), (Split.TEST, 0.15)):
            assert counts[method, split] == pytest.approx(share * total, abs=0.02 * total + 2)


def test_a_large_group_goes_where_there_is_room() -> None:
    rows = [fake("hub", f"s{i}") for i in range(60)] + [fake(f"a{i}", f"b{i}") for i in range(40)]
    result = assign_splits(rows, config=AUTO)
    assert Counter(row.split for row in result.rows) == {
        Split.TRAIN: 70,
        Split.VAL: 15,
        Split.TEST: 15,
    }
    assert {row.split for row in result.rows[:60]} == {Split.TRAIN}


def test_the_order_of_rows_does_not_matter_and_the_seed_does() -> None:
    rows = pairs(30, "Deepfakes")
    shuffled = random.Random(3).sample(rows, len(rows))
    assert split_of(assign_splits(rows, config=AUTO)) == split_of(
        assign_splits(shuffled, config=AUTO)
    )
    other = assign_splits(rows, config=SplitConfig(seed=1))
    assert split_of(other) != split_of(assign_splits(rows, config=AUTO))


def test_the_result_does_not_depend_on_where_the_corpus_lies() -> None:
    rows = pairs(30, "Deepfakes")
    moved = [replace(row, uri=row.uri.replace("/c/", "/elsewhere/")) for row in rows]
    before, after = assign_splits(rows, config=AUTO), assign_splits(moved, config=AUTO)
    assert [(r.group, r.split) for r in before.rows] == [(r.group, r.split) for r in after.rows]


@pytest.mark.parametrize("num_groups", [1, 2])
def test_too_few_groups_are_all_for_training_and_said_so(num_groups: int) -> None:
    result = assign_splits(pairs(num_groups, "Deepfakes"), config=AUTO)
    assert {row.split for row in result.rows} == {Split.TRAIN}
    assert any("too few groups" in note for note in result.notes)


@pytest.mark.parametrize("num_groups", [3, 4, 7])
def test_from_three_groups_on_no_split_is_empty(num_groups: int) -> None:
    result = assign_splits(pairs(num_groups, "Deepfakes"), config=AUTO)
    assert {row.split for row in result.rows} == set(Split)


def test_a_fraction_of_nothing_is_nothing() -> None:
    config = SplitConfig(val_fraction=0.3, test_fraction=0.0)
    result = assign_splits(pairs(20, "Deepfakes"), config=config)
    assert {row.split for row in result.rows} == {Split.TRAIN, Split.VAL}


def test_kept_assignments_are_only_added_to() -> None:
    first = assign_splits(pairs(20, "Deepfakes"), config=AUTO)
    more = pairs(20, "Deepfakes", "FaceSwap") + pairs(30, "FaceSwap", first=20)
    second = assign_splits(more, config=SplitConfig(seed=9), assignments=first.assignments)
    before = {row.uri: (row.group, row.split) for row in first.rows}
    after = {row.uri: (row.group, row.split) for row in second.rows}
    assert before.items() <= after.items()
    assert first.assignments.splits.items() <= second.assignments.splits.items()
    assert Counter(row.split for row in second.rows)[Split.TRAIN] == pytest.approx(168, abs=8)


def test_a_groups_name_stays_when_a_smaller_member_joins() -> None:
    rows = [real("5"), real("6"), real("7"), real("8")]
    first = assign_splits(rows, config=AUTO)
    second = assign_splits([*rows, fake("0", "5")], config=AUTO, assignments=first.assignments)
    assert second.rows[-1].group == second.rows[0].group == first.rows[0].group == "c/identity:5"


def test_assignments_of_files_that_are_gone_are_kept() -> None:
    first = assign_splits(pairs(10, "Deepfakes"), config=AUTO)
    second = assign_splits(pairs(3, "Deepfakes"), config=AUTO, assignments=first.assignments)
    third = assign_splits(pairs(10, "Deepfakes"), config=AUTO, assignments=second.assignments)
    assert third.rows == first.rows


def kept_in(**splits: Split) -> Assignments:
    keys = {name: f"identity:{name}" for name in splits}
    return Assignments(
        "grouped",
        {f"c/{keys[name]}": split for name, split in splits.items()},
        {keys[name]: f"c/{keys[name]}" for name in splits},
    )


def test_a_new_file_that_would_join_two_splits_is_quarantined() -> None:
    kept = kept_in(a=Split.TRAIN, b=Split.TEST)
    rows = [real("a"), real("b"), fake("a", "b")]
    result = assign_splits(rows, config=AUTO, assignments=kept)
    assert [row.split for row in result.rows] == [Split.TRAIN, Split.TEST, None]
    (bad,) = result.quarantined
    assert (bad.uri, bad.status, bad.group) == (rows[2].uri, Status.ERROR, None)
    assert "identity:a is in train" in (bad.message or "")
    assert "identity:b is in test" in (bad.message or "")
    assert any("1 files" in note for note in result.notes)


def test_a_chain_of_new_files_does_not_join_two_splits_either() -> None:
    kept = kept_in(a=Split.TRAIN, b=Split.VAL)
    rows = [real("a"), real("b"), fake("a", "x"), fake("b", "x"), fake("x", "y")]
    result = assign_splits(rows, config=AUTO, assignments=kept)
    assert len(result.quarantined) == 1
    assert result.rows[4].split is not None
    again = assign_splits(rows[::-1], config=AUTO, assignments=result.assignments)
    assert [row.uri for row in again.quarantined] == [row.uri for row in result.quarantined]


def test_two_kept_groups_of_one_split_may_be_joined() -> None:
    kept = kept_in(a=Split.VAL, b=Split.VAL)
    result = assign_splits([real("a"), real("b"), fake("b", "a")], config=AUTO, assignments=kept)
    assert {(row.group, row.split) for row in result.rows} == {("c/identity:a", Split.VAL)}
    assert all(result.assignments.split_of(key) is Split.VAL for key in kept.members)


def test_content_ties_and_empty_files_do_not() -> None:
    rows = [real(None, f"r{i}") for i in range(8)]
    rows += [real(None, "twin", media_id="r0")]
    rows += [real(None, f"e{i}", media_id="empty", size_bytes=0) for i in range(2)]
    by_name = {Path(row.uri).name: row for row in assign_splits(rows, config=AUTO).rows}
    assert by_name["twin"].group == by_name["r0"].group
    assert by_name["e0"].group != by_name["e1"].group


def test_error_rows_take_no_part() -> None:
    bad = real("0", "bad", status=Status.ERROR, split=None)
    result = assign_splits([bad, *pairs(5, "Deepfakes")], config=AUTO)
    assert (result.rows[0].group, result.rows[0].split) == (None, None)
    assert result.quarantined == ()


def test_missing_files_weigh_nothing_but_have_their_place() -> None:
    rows = pairs(10, "Deepfakes")
    gone = [replace(row, status=Status.MISSING, media_id=None) for row in pairs(50, "x", first=10)]
    result = assign_splits([*rows, *gone], config=AUTO)
    assert all(row.split is not None for row in result.rows)
    present = Counter(row.split for row in result.rows if row.status is Status.OK)
    assert present[Split.TRAIN] == pytest.approx(28, abs=4)


def test_an_explicit_group_ties() -> None:
    rows = [real(None, f"r{i}", group=f"scene{i // 4}") for i in range(40)]
    result = assign_splits(rows, config=AUTO)
    assert set(Counter(row.group for row in result.rows).values()) == {4}
    assert result.rows[0].group == "c/group:scene0"


def test_check_leakage_names_the_two() -> None:
    rows = [real("a", split=Split.TRAIN), fake("b", "a", split=Split.TEST)]
    with pytest.raises(SplitLeakageError, match=r"identity:a .*real/a.* in test .*b_a"):
        check_leakage(rows)
    check_leakage(rows, strategy="official")


def official(rows: Sequence[ManifestRow], **columns: object) -> SplitResult:
    return assign_splits(rows, config=SplitConfig(strategy="official", **columns))  # type: ignore[arg-type]


def test_official_lists_are_kept_to_the_letter() -> None:
    rows = [
        real("a", split=Split.TRAIN),
        real("b", split=Split.VAL),
        real("c", split=Split.TEST),
        fake("a", "z", split=Split.TRAIN),
    ]
    result = assign_splits(rows, config=AUTO)
    assert result.strategy == "official"
    assert [row.split for row in result.rows] == [row.split for row in rows]
    assert result.rows[0].group == result.rows[3].group
    assert result.shared_identities == ()


def test_official_pairs_and_contents_across_splits_raise() -> None:
    with pytest.raises(SplitLeakageError, match="the pair 000 and 003"):
        official([fake("000", "003", split=Split.TRAIN), fake("003", "000", split=Split.TEST)])
    with pytest.raises(SplitLeakageError, match="media:same"):
        official(
            [
                real(None, "x", media_id="same", split=Split.TRAIN),
                real(None, "y", media_id="same", split=Split.TEST),
            ]
        )
    with pytest.raises(SplitLeakageError, match="group:g"):
        official([real("a", group="g", split=Split.VAL), real("b", group="g", split=Split.TEST)])


def test_official_lists_that_separate_targets_but_not_sources_are_reported() -> None:
    rows = [
        fake("1", "9", split=Split.TRAIN),
        fake("2", "9", split=Split.TEST),
        real("3", split=Split.VAL),
    ]
    result = official(rows)
    assert result.shared_identities == (
        SharedIdentity("9", (Split.TRAIN, Split.TEST), num_files=2),
    )
    assert any("1 people in several splits: 9" in note for note in result.notes)
    assert len({row.group for row in result.rows}) == 3
    free = assign_splits(rows, config=GROUPED)
    assert free.rows[0].split is free.rows[1].split
    assert free.shared_identities == ()


def test_where_only_test_is_listed_the_rest_is_split_by_us() -> None:
    rows = [fake("t1", "t2", split=Split.TEST), real("t1", split=Split.TEST)]
    rows += [*pairs(40, "Deepfakes"), fake("t1", "000")]
    result = assign_splits(rows, config=AUTO)
    counts = Counter(row.split for row in result.rows)
    assert counts[Split.TEST] == 2
    assert counts[Split.VAL] == pytest.approx(161 * 0.15 / 0.85, abs=4)
    assert [s.identity for s in result.shared_identities] == ["t1"]
    assert any("is split by" in note for note in result.notes)


def test_where_val_is_lacking_it_is_taken_out_of_train_by_group() -> None:
    rows = [replace(row, split=Split.TRAIN) for row in pairs(40, "Deepfakes")]
    rows += [real(f"t{i}", split=Split.TEST) for i in range(9)]
    result = assign_splits(rows, config=AUTO)
    assert Counter(row.split for row in result.rows)[Split.VAL] == pytest.approx(28, abs=4)
    check_leakage(result.rows, strategy="grouped")
    assert any("names no val" in note for note in result.notes)
    again = assign_splits(rows[::-1], config=SplitConfig(seed=4), assignments=result.assignments)
    assert again.rows == result.rows[::-1]


def test_an_unlisted_copy_follows_its_content_and_its_people() -> None:
    rows = [
        real("a", split=Split.TRAIN),
        real("b", split=Split.VAL),
        real("c", split=Split.TEST),
        real("c", "copy", media_id="real/c"),
        fake("b", "x"),
        fake("a", "y"),
    ]
    splits = [row.split for row in assign_splits(rows, config=AUTO).rows]
    assert splits[3:] == [Split.TEST, Split.VAL, Split.TRAIN]


def test_a_file_that_moved_to_another_list_is_quarantined() -> None:
    rows = [real(f"p{i}", split=list(Split)[i % 3]) for i in range(9)]
    first = assign_splits(rows, config=AUTO)
    moved = [replace(rows[0], split=Split.TEST), *rows[1:]]
    second = assign_splits(moved, config=AUTO, assignments=first.assignments)
    assert [row.uri for row in second.quarantined] == [rows[0].uri]
    assert second.rows[1:] == first.rows[1:]


def test_the_strategy_of_what_is_kept_holds() -> None:
    rows = pairs(5, "Deepfakes")
    first = assign_splits(rows, config=AUTO)
    listed = [replace(row, split=Split.TEST) for row in rows]
    assert assign_splits(listed, config=AUTO, assignments=first.assignments).rows == first.rows
    with pytest.raises(ConfigError, match="grouped ones are stored"):
        assign_splits(
            listed, config=SplitConfig(strategy="official"), assignments=first.assignments
        )
    with pytest.raises(ConfigError, match="the corpus has none"):
        official(rows)
    with pytest.raises(DataError, match="one corpus"):
        assign_splits([*rows, replace(rows[0], corpus="other")], config=AUTO)


def test_assignments_survive_the_disk(tmp_path: Path) -> None:
    result = assign_splits(pairs(6, "Deepfakes"), config=AUTO)
    path = write_assignments(tmp_path / "splits" / "c.json", result.assignments)
    assert read_assignments(path) == result.assignments
    path.write_text(path.read_text().replace("grouped", "guessed"))
    with pytest.raises(DataError, match="damaged"):
        read_assignments(path)
    path.write_text("{}")
    with pytest.raises(DataError, match="schema version"):
        read_assignments(path)


PEOPLE = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", None])


@st.composite
def corpora(draw: st.DrawFn) -> list[ManifestRow]:
    shown = draw(st.lists(st.tuples(PEOPLE, PEOPLE, PEOPLE, st.integers(0, 30)), max_size=25))
    return [
        ManifestRow(
            f"/c/{i}",
            "c",
            media_id=str(content),
            label=list(Label)[i % 2],
            identity=identity,
            target_id=target,
            source_id=source,
        )
        for i, (identity, target, source, content) in enumerate(shown)
    ]


@settings(max_examples=150, deadline=None)
@given(rows=corpora(), cut=st.integers(0, 25), seed=st.integers(0, 3))
def test_whatever_comes_no_key_stands_in_two_splits_or_moves(
    rows: list[ManifestRow], cut: int, seed: int
) -> None:
    first = assign_splits(rows[:cut], config=GROUPED)
    second = assign_splits(rows, config=SplitConfig(seed=seed), assignments=first.assignments)
    check_leakage(second.rows)
    for key in first.assignments.members:
        assert second.assignments.split_of(key) is first.assignments.split_of(key)
    for original, row in zip(rows, second.rows, strict=True):
        if row.status is Status.ERROR:
            assert (row.group, row.split) == (None, None)
        else:
            splits = {second.assignments.split_of(key) for key in member_keys(original)}
            assert splits == {row.split}
    refused = {row.uri for row in second.quarantined}
    assert not refused & {row.uri for row in rows[:cut]}


@pytest.mark.shared_data
def test_splits_of_the_samples(shared_data: Path) -> None:
    def scan(name: str, layout: str) -> list[ManifestRow]:
        rows = scan_corpus(shared_data / "videos" / name, corpus=name, layout=layout)
        return [
            replace(r, media_id=sha256_of(Path(r.uri))) if r.status is Status.OK else r
            for r in rows
        ]

    ff = assign_splits(scan("FaceForensics++", "faceforensics"), config=AUTO)
    assert Counter(row.split for row in ff.rows) == {Split.TRAIN: 3, Split.VAL: 2, Split.TEST: 2}
    celeb = assign_splits(scan("Celeb-DF-v2", "celebdf"), config=AUTO)
    assert {row.split for row in celeb.rows} == {Split.TEST}
    assert "train has no file" in celeb.notes
    one_person = assign_splits(scan("Celeb-DF-v2", "celebdf"), config=GROUPED)
    assert {row.split for row in one_person.rows} == {Split.TRAIN}
    dfdc = assign_splits(scan("DFDC", "dfdc"), config=AUTO)
    assert dfdc.strategy == "grouped"
    assert all(row.split is not None for row in dfdc.rows)
