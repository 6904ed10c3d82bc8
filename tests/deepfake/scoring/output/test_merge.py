"""Small parts are put together, and what is known of media is as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.scoring.output.merge import merge_small_parts
from deepfake.scoring.parts import find_parts, part_path, read_made_with, write_part
from deepfake.scoring.scorer_settings import ScoredMedium
from deepfake.scoring.state.state import ScoringState, open_state
from deepfake.types import Kind
from tests.deepfake.scoring.state.known_files import known_files
from tests.scores import make_score

_LONG_AGO = 10**18
_MADE = {"package": "1"}


def _medium(name: str, logit: float) -> ScoredMedium:
    track = {"uri": f"/m/{name}", "media_id": name, "track_id": 0, "logit": logit}
    return ScoredMedium(make_score(f"/m/{name}", name, logit=logit), (track,), ())


class _Output:
    """A folder of parts and its state, one part a run as `--watch` leaves them."""

    def __init__(self, folder: Path) -> None:
        self.parts = folder / "parts"
        self.parts.mkdir()
        self._path = folder / "state.sqlite"

    def opened(self) -> Any:
        return open_state(self._path, folder="/m", version="v")

    def score(self, name: str, logit: float, *, made_with: dict[str, Any]) -> None:
        with self.opened() as state:
            listed = ManifestRow(f"/m/{name}", "media", size_bytes=9, mtime_ns=_LONG_AGO)
            _, unknown = state.record_listed([listed])
            probed = [replace(row, media_id=name, kind=Kind.IMAGE) for row in unknown]
            state.record_probed(probed, began_ns=2 * _LONG_AGO)
            media = [_medium(name, logit)]
            key = f"{state.run:016x}"
            state.commit(
                write_part(
                    self.parts, key=key, run_number=state.run, media=media, made_with=made_with
                )
            )

    def logits(self, state: ScoringState) -> dict[str, float]:
        """Return what the tables would say."""
        found = {}
        for file in known_files(state):
            assert file.part is not None
            path = part_path(self.parts, file.part, "scores")
            rows = pq.read_table(path, filters=[("media_id", "==", file.row.media_id)]).to_pylist()
            (found[file.row.uri],) = [row["logit"] for row in rows]
        return found


def _filled(folder: Path, *, runs: int = 70) -> _Output:
    output = _Output(folder)
    for number in range(runs):
        output.score(f"f{number % 60}", float(number), made_with=_MADE)
    return output


def test_many_small_parts_become_one_and_say_the_same(tmp_path: Path) -> None:
    output = _filled(tmp_path)
    with output.opened() as state:
        for number in range(60, 70):  # as many as it takes
            output.score(f"f{number}", float(number), made_with=_MADE)
    with output.opened() as state:
        before = output.logits(state)
        assert before["/m/f5"] == 65.0, "the later of two scores"
        merge_small_parts(output.parts, state)
        (merged,) = {file.part for file in known_files(state)}
        assert output.logits(state) == before
        unused = state.unused_parts()
        assert len(unused) == 80
    assert read_made_with(output.parts, merged) == _MADE
    whole = {part.key: part for part in find_parts(output.parts)}
    assert set(whole) == {*unused, merged}
    assert len(whole[merged].media) == 70


def test_a_kill_before_the_state_knows_changes_nothing(tmp_path: Path) -> None:
    output = _filled(tmp_path, runs=70)
    for number in range(60, 70):
        output.score(f"f{number}", float(number), made_with=_MADE)
    with output.opened() as state:
        before = output.logits(state)
        state.commit = lambda part: None  # type: ignore[method-assign]
        merge_small_parts(output.parts, state)
    with output.opened() as state:
        state.reconcile(find_parts(output.parts))
        assert output.logits(state) == before
    # And with the state lost as well.
    for name in ("state.sqlite", "state.sqlite-wal", "state.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with output.opened() as state:
        state.reconcile(find_parts(output.parts))
        rows = [
            ManifestRow(uri, "media", size_bytes=9, mtime_ns=_LONG_AGO) for uri in sorted(before)
        ]
        _, unknown = state.record_listed(rows)
        probed = [replace(r, media_id=r.uri.removeprefix("/m/"), kind=Kind.IMAGE) for r in unknown]
        state.record_probed(probed, began_ns=2 * _LONG_AGO)
        assert output.logits(state) == before


def test_few_are_left_alone_and_what_was_made_otherwise_stays_apart(tmp_path: Path) -> None:
    output = _filled(tmp_path, runs=40)
    with output.opened() as state:
        merge_small_parts(output.parts, state)
        assert state.unused_parts() == []
    for number in range(100, 130):
        output.score(f"f{number}", float(number), made_with={"package": "2"})
    with output.opened() as state:
        before = output.logits(state)
        merge_small_parts(output.parts, state)
        parts = {file.part for file in known_files(state)}
        assert {read_made_with(output.parts, str(p))["package"] for p in parts} == {"1", "2"}
        assert len(parts) == 2
        assert output.logits(state) == before
