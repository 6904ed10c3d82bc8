"""Ingesting a corpus, in steps that can be interrupted and resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake.compute.workers import Failure, MediaWorkers
from deepfake.config import (
    CropConfig,
    ExtractConfig,
    MediaLimits,
    SamplingConfig,
    SplitConfig,
    WorkerLimits,
)
from deepfake.corpora.ingest import (
    BatchResult,
    IngestPlan,
    build_snapshot,
    extract_batch,
    extract_digest,
    finish_manifest,
    plan_extraction,
    read_previous_rows,
    worker_setup,
)
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest import read_manifest
from deepfake.corpora.probe import probe_rows, reuse_probes
from deepfake.corpora.shards import Snapshot, open_snapshot, read_shard
from deepfake.errors import ShardError
from deepfake.extract.extractor import ExtractedMedium, ExtractRequest
from deepfake.media import decode_crop, write_image, write_video
from deepfake.storage import DataRoot, read_json
from deepfake.types import Status
from tests.sample_data import face_close_up

_CONFIG = ExtractConfig(sampling=SamplingConfig(num_frames=4), crop=CropConfig(size=64))
_LIMITS = WorkerLimits(timeout_seconds=60)


@pytest.fixture(scope="module")
def workers() -> Iterator[MediaWorkers]:
    with MediaWorkers(worker_setup(_CONFIG, limits=_LIMITS, num_workers=1)) as pool:
        yield pool


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two stills and a clip of each class, and one still without a face."""
    portrait = face_close_up(160)
    folder = tmp_path_factory.mktemp("media")
    for shade, label in enumerate(("real", "fake")):
        (folder / label).mkdir()
        for number in range(2):
            pixels = np.maximum(portrait, 10 + 20 * shade + 5 * number)
            write_image(folder / label / f"still{number}.png", pixels)
        frames = [np.roll(np.maximum(portrait, 40 + 20 * shade), i, axis=1) for i in range(12)]
        write_video(folder / label / "clip.mp4", frames, fps=25)
    write_image(folder / "real" / "wall.png", np.full((160, 160, 3), 99, np.uint8))
    return folder


@pytest.fixture
def folder(media: Path, tmp_path: Path) -> Path:
    """Return a copy that may be changed."""
    return Path(shutil.copytree(media, tmp_path / "media"))


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    return DataRoot(tmp_path / "data")


@dataclass(frozen=True)
class Ingested:
    """What one run did."""

    snapshot: Snapshot
    is_new: bool
    plan: IngestPlan
    num_probed: int

    @property
    def made(self) -> set[str]:
        return {batch.key for batch in self.plan.unfinished}


Ingest = Callable[..., Ingested]


@pytest.fixture
def ingest(workers: MediaWorkers, root: DataRoot, folder: Path) -> Ingest:
    """Return a function that does what the flow does."""

    def run(
        *,
        config: ExtractConfig = _CONFIG,
        stop_after: int | None = None,
        retry: bool = False,
        listed: Path | None = None,
    ) -> Ingested:
        layout = "folder" if listed is None else "csv"
        rows = scan_corpus(listed or folder, corpus="c", layout=layout)
        before = read_previous_rows(root, "c", limits=config.limits)
        known, unknown = reuse_probes(rows, before=before)
        probed = probe_rows(unknown, workers=workers, limits=config.limits)
        rows, notes = finish_manifest(
            root,
            "c",
            sorted([*known, *probed], key=lambda r: r.uri),
            split=SplitConfig(strategy="grouped"),
        )
        plan = plan_extraction(
            root, "c", rows, config=config, max_files=2, is_retrying_failed=retry
        )
        for batch in plan.unfinished[:stop_after]:
            extract_batch(root.corpus_shards("c"), batch, uris=plan.uris, workers=workers)
        if stop_after is not None:
            raise KeyboardInterrupt
        snapshot, is_new = build_snapshot(root, "c", rows, plan, config=config, notes=notes)
        return Ingested(snapshot, is_new, plan, len(unknown))

    return run


def _by_name(outcomes: pd.DataFrame) -> pd.DataFrame:
    names = ["/".join(uri.split("/")[-2:]) for uri in outcomes["uri"]]
    return outcomes.set_index(pd.Index(names))


def test_a_corpus_becomes_a_snapshot(ingest: Ingest, root: DataRoot, folder: Path) -> None:
    done = ingest()
    assert done.is_new
    assert done.num_probed == 7
    outcomes = _by_name(done.snapshot.outcomes())
    assert outcomes["status"].drop("real/wall.png").eq("ok").all()
    wall = outcomes.loc["real/wall.png"]
    assert (wall["status"], wall["label"], wall["num_faces"]) == ("no_face", "real", 0)
    clip = outcomes.loc["fake/clip.mp4"]
    assert (clip["kind"], clip["codec"], clip["num_faces"], clip["num_frames"]) == (
        "video",
        "h264",
        4,
        12,
    )
    assert clip["size_bytes"] == (folder / "fake" / "clip.mp4").stat().st_size
    index = done.snapshot.index()
    assert len(index) == 4 * 1 + 2 * 4
    assert (index["label"] == [u.split("/")[-2] for u in index["uri"]]).all()
    assert index["split"].notna().all()
    assert index["crop_id"].is_unique
    reader = done.snapshot.reader()
    assert {decode_crop(reader.encoded(r.shard, r.row)).shape for r in index.itertuples()} == {
        (64, 64, 3)
    }
    assert open_snapshot(root, "c") == done.snapshot
    description = done.snapshot.description()
    assert description["num_crops"] == len(index)
    assert set(description["parts"]) == done.made
    assert isinstance(read_json(done.snapshot.folder / "shortcuts.json"), list)
    assert len(read_manifest(root.manifest("c"))) == 7


def test_the_same_again_does_nothing(ingest: Ingest) -> None:
    first, second = ingest(), ingest()
    assert (second.num_probed, second.made, second.is_new) == (0, set(), False)
    assert second.snapshot == first.snapshot


def test_a_run_killed_after_the_index_is_completed_by_the_next(ingest: Ingest) -> None:
    first = ingest()
    path = first.snapshot.folder / "shortcuts.json"
    found = read_json(path)
    path.unlink()
    assert not ingest().is_new
    assert read_json(path) == found


def test_a_lost_shard_is_made_again_alone(ingest: Ingest, root: DataRoot) -> None:
    first = ingest()
    shards = sorted(root.corpus_shards("c").glob("parts/*.arrow"))
    assert len(shards) == 4
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in shards}
    # One that the index names: a part without a face has no crop to lose.
    named = set(first.snapshot.index()["shard"])
    lost = next(path for path in shards if path.name in named)
    lost.unlink()
    assert first.snapshot.missing_shards() == [lost.name]
    second = ingest()
    assert second.made == {lost.stem}
    assert second.snapshot == first.snapshot
    assert first.snapshot.missing_shards() == []
    for path, (mtime, content) in before.items():
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns == mtime) == (path != lost)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_run_broken_off_is_gone_on_with(
    ingest: Ingest, root: DataRoot, tmp_path: Path, parts: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        ingest(stop_after=parts)
    with pytest.raises(ShardError, match="no corpus"):
        open_snapshot(root, "c")
    finished = {p.stem for p in root.corpus_shards("c").glob("parts/*.arrow")}
    assert len(finished) == parts
    resumed = ingest()
    assert not resumed.made & finished
    shutil.rmtree(root.path)
    undisturbed = ingest()
    assert undisturbed.snapshot.digest == resumed.snapshot.digest


def test_another_label_shares_every_part(ingest: Ingest, folder: Path) -> None:
    first = ingest()
    for name in ("clip.mp4", "still0.png", "still1.png", "wall.png"):
        if (folder / "real" / name).exists():
            (folder / "real" / name).rename(folder / "fake" / f"was-real-{name}")
    second = ingest()
    assert second.made == set()
    assert second.is_new
    assert second.snapshot.digest != first.snapshot.digest
    assert set(second.snapshot.index()["label"]) == {"fake"}
    assert set(first.snapshot.index()["label"]) == {"real", "fake"}
    assert set(second.snapshot.index()["shard"]) == set(first.snapshot.index()["shard"])


def test_new_files_do_not_move_old_ones(ingest: Ingest, folder: Path) -> None:
    first = ingest()
    write_image(folder / "fake" / "aaa.png", np.full((64, 64, 3), 7, np.uint8))
    second = ingest()
    assert second.num_probed == 1
    assert [len(batch.media_ids) for batch in second.plan.unfinished] == [1]
    assert len(second.snapshot.outcomes()) == 8
    assert len(first.snapshot.outcomes()) == 7


def test_media_that_come_later_move_no_group_and_join_no_two_splits(
    ingest: Ingest, tmp_path: Path
) -> None:
    listed = tmp_path / "list.csv"

    def write(*people: tuple[str, str]) -> None:
        lines = ["uri,label,target_id,source_id"]
        for number, (target, source) in enumerate(people):
            path = tmp_path / f"{number}.png"
            if not path.exists():
                write_image(path, np.full((64, 64, 3), 5 + number, np.uint8))
            lines.append(f"{path},{'fake' if source else 'real'},{target},{source}")
        listed.write_text("\n".join(lines) + "\n")

    def split_of(done: Ingested) -> dict[str, str]:
        outcomes = _by_name(done.snapshot.outcomes())
        return {Path(name).stem: split for name, split in outcomes["split"].items()}

    known = [(f"p{i}", "") for i in range(12)]
    write(*known)
    before = split_of(ingest(listed=listed))
    people = {split: f"p{i}" for i, split in sorted(before.items(), reverse=True)}
    assert set(people) == {"train", "val", "test"}
    # One more of a tested person, one more of a person of train, and one that shows both.
    tested, learnt = people["test"], people["train"]
    write(*known, (tested, "x"), (learnt, "y"), (tested, learnt))
    done = ingest(listed=listed)
    after = split_of(done)
    assert {name: after[name] for name in before} == before
    assert (after["12"], after["13"]) == ("test", "train")
    row = done.snapshot.outcomes().set_index("uri").loc[str(tmp_path / "14.png")]
    assert (row["status"], row["error_type"]) == ("error", "SplitLeakageError")
    assert f"identity:{tested} is in test" in row["message"]
    assert f"identity:{learnt} is in train" in row["message"]
    assert row[["split", "group"]].isna().all()


def test_two_names_for_one_content_are_two_rows_and_one_computation(
    ingest: Ingest, folder: Path
) -> None:
    shutil.copy(folder / "real" / "clip.mp4", folder / "real" / "again.mp4")
    done = ingest()
    worked_on = [m for batch in done.plan.batches for m in batch.media_ids]
    assert len(worked_on) == len(set(worked_on)) == 7
    outcomes = _by_name(done.snapshot.outcomes())
    assert len(outcomes) == 8
    twins = outcomes.loc[["real/clip.mp4", "real/again.mp4"]]
    assert twins["media_id"].nunique() == 1
    assert twins["status"].tolist() == ["ok", "ok"]
    assert twins["split"].nunique() == 1
    index = done.snapshot.index()
    assert index["crop_id"].is_unique
    assert index.loc[index["media_id"] == twins["media_id"].iloc[0], "uri"].nunique() == 1


def test_one_content_under_two_labels_is_an_error_in_both_rows(
    ingest: Ingest, folder: Path
) -> None:
    shutil.copy(folder / "real" / "clip.mp4", folder / "fake" / "same.mp4")
    done = ingest()
    outcomes = _by_name(done.snapshot.outcomes())
    for name, other in (("real/clip.mp4", "fake/same.mp4"), ("fake/same.mp4", "real/clip.mp4")):
        row = outcomes.loc[name]
        assert (row["status"], row["error_type"]) == ("error", "ManifestError")
        assert other in row["message"]
        assert row["media_id"] not in set(done.snapshot.index()["media_id"])


def test_bad_files_are_rows_beside_good_ones(ingest: Ingest, folder: Path) -> None:
    (folder / "real" / "empty.mp4").touch()
    (folder / "real" / "text.mp4").write_text("no video\n" * 100, encoding="utf-8")
    (folder / "real" / "folder.mp4").mkdir()
    (folder / "fake" / "nowhere.png").symlink_to(folder / "not there")
    outcomes = _by_name(ingest().snapshot.outcomes())
    assert outcomes["status"].value_counts().to_dict() == {
        "ok": 6,
        "no_face": 1,
        "empty": 1,
        "unsupported": 2,
        "missing": 1,
    }
    assert outcomes.loc["fake/nowhere.png", "label"] == "fake"


def test_other_settings_are_other_parts_and_the_old_ones_stay(
    ingest: Ingest, root: DataRoot
) -> None:
    first = ingest()
    other = _CONFIG.model_copy(update={"crop": CropConfig(size=32)})
    assert extract_digest(other) != extract_digest(_CONFIG)
    with pytest.raises(KeyboardInterrupt):
        ingest(config=other, stop_after=0)
    assert open_snapshot(root, "c") == first.snapshot
    assert first.snapshot.missing_shards() == []


def test_a_snapshot_needs_all_of_its_parts(ingest: Ingest, root: DataRoot) -> None:
    done = ingest()
    next(iter(root.corpus_shards("c").glob("parts/*.arrow"))).unlink()
    rows = read_manifest(root.manifest("c"))
    with pytest.raises(ShardError, match="missing or damaged"):
        build_snapshot(root, "c", rows, done.plan, config=_CONFIG, notes={})


def test_what_was_too_large_is_looked_at_again_under_other_limits(ingest: Ingest) -> None:
    """And nothing else is: no crop changes with a limit."""
    tight = _CONFIG.model_copy(update={"limits": MediaLimits(max_frames=11)})
    first = ingest(config=tight)
    assert first.snapshot.outcomes()["status"].tolist().count("too_large") == 2
    again = ingest(config=tight)
    assert (again.num_probed, again.is_new, again.made) == (0, False, set())
    second = ingest()
    assert second.num_probed == 2
    assert second.snapshot.outcomes()["status"].tolist().count("too_large") == 0
    assert second.snapshot.digest != first.snapshot.digest
    kept = {batch.key for batch in first.plan.batches}
    assert kept <= {batch.key for batch in second.plan.batches}, "stills are not extracted again"


def test_limits_that_refuse_nothing_change_nothing(ingest: Ingest) -> None:
    first = ingest()
    second = ingest(config=_CONFIG.model_copy(update={"limits": MediaLimits(max_frames=12)}))
    assert (second.num_probed, second.is_new, second.made) == (0, False, set())
    assert second.snapshot == first.snapshot


class _Broken:
    """Workers in which one file crashes with every decoder and another with decord alone."""

    def __init__(
        self, workers: MediaWorkers, *, dies: str, dies_in_decord: str, decoder: str
    ) -> None:
        self._workers = workers
        self._dies, self._dies_in_decord = dies, dies_in_decord
        argument = replace(workers.setup.argument, decoder=decoder)
        self.setup = replace(workers.setup, argument=argument)
        self.tries: list[str] = []

    def map(self, function: Any, items: Any, *, is_last: bool = True) -> Iterator[Any]:
        for item in items:
            decoder = item.decoder or self.setup.argument.decoder
            name = "/".join(item.uri.split("/")[-2:])
            if name in (self._dies, self._dies_in_decord):
                self.tries.append(f"{name} {decoder}")
            if name == self._dies or (name == self._dies_in_decord and decoder == "decord"):
                yield Failure(Status.CRASHED, "SIGSEGV", "the process that read it died (SIGSEGV)")
            else:
                yield from self._workers.map(function, [item])


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_what_kills_the_other_decoder_is_tried_with_pyav(
    ingest: Ingest, root: DataRoot, workers: MediaWorkers, decoder: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        ingest(stop_after=0)
    plan = plan_extraction(root, "c", read_manifest(root.manifest("c")), config=_CONFIG)
    (batch,) = plan.batches
    broken = _Broken(workers, dies="real/clip.mp4", dies_in_decord="fake/clip.mp4", decoder=decoder)
    seen: list[int] = []
    result = extract_batch(
        root.corpus_shards("c"),
        batch,
        uris=plan.uris,
        workers=broken,  # type: ignore[arg-type]
        on_done=seen.append,
    )
    assert result.seconds > 0
    expected = BatchResult(batch.key, 8, {"ok": 5, "no_face": 1, "crashed": 1})
    assert replace(result, seconds=0.0) == replace(expected, seconds=0.0)
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    decoders = ["decord", "pyav"] if decoder == "decord" else ["pyav"]
    names = ("fake/clip.mp4", "real/clip.mp4")
    assert broken.tries == [f"{name} {decoder}" for name in names for decoder in decoders]
    part = read_shard(root.corpus_shards("c"), batch.key)
    assert part is not None
    assert part.num_crops == 8
    rows = read_manifest(root.manifest("c"))
    again = plan_extraction(root, "c", rows, config=_CONFIG)
    assert again.unfinished == ()
    retried = plan_extraction(root, "c", rows, config=_CONFIG, is_retrying_failed=True)
    assert retried.unfinished == (batch,)


def test_a_changed_file_is_looked_at_again(ingest: Ingest, folder: Path) -> None:
    first = ingest()
    path = folder / "real" / "wall.png"
    before = path.stat()
    write_image(path, np.full((160, 160, 3), 120, np.uint8))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    second = ingest()
    assert second.num_probed == 1
    assert second.snapshot.digest != first.snapshot.digest


def test_requests_and_results_cross_processes(workers: MediaWorkers, media: Path) -> None:
    from deepfake.extract.extractor import extract_medium

    path = media / "real" / "still0.png"
    (found,) = workers.map(extract_medium, [ExtractRequest(str(path), "0" * 64)])
    assert isinstance(found, ExtractedMedium)
    assert len(found.crops) == 1
