"""The benchmark itself: what it reads, what it sums up, what it writes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ROOT
from benchmarks.speed.arms import ArmSetup
from benchmarks.speed.clips import Clip, plan_clip, spread_items
from benchmarks.speed.figures import RATIOS, TARGETS, Cost, ratio_of_sums, summarise
from benchmarks.speed.interleave import plan_turns, time_arms
from benchmarks.speed.process_arm import IsolatedArm
from benchmarks.speed.reader_arms import READERS
from benchmarks.speed.results import Findings, to_results
from benchmarks.speed.scale import choose_source, time_long_clip, time_many_files
from benchmarks.speed.stock_arm import read_by_opencv
from benchmarks.speed.timer import Measured, Work
from deepfake.detectors.bundles import DetectorSpec, load_bundle, save_bundle
from deepfake.detectors.models import create_model
from tests.media_factory import frame_number, write_clip
from tests.sample_data import make_detector, write_face_clip

KEYS = {
    "extract_uniform_over_floor",
    "score_uniform_over_floor",
    "score_uniform_bf16_over_floor",
    "stock_over_ours_uniform",
    "stock_over_ours_bursts",
    "stock_over_ours_bursts_720p",
    "detector_stock_over_ours_720p",
    "detector_same_smallest_face_720p",
    "per_file_2000_over_20",
    "rss_growth_mb_20_to_2000",
    "long_clip_seconds",
    "long_clip_rss_mb",
}


@pytest.fixture(scope="module")
def tiny_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a network that costs next to nothing."""
    folder = tmp_path_factory.mktemp("detector")
    spec = load_bundle(make_detector(folder / "large")).spec
    created = create_model("test_efficientnet", pretrained="none", input_size=64)
    own = {"architecture": created.architecture, "input_size": created.input_size}
    small = DetectorSpec.model_validate({**spec.model_dump(), **own})
    return save_bundle(folder / "small", state_dict=created.module.state_dict(), spec=small)


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.throughput", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_run_writes_every_figure_or_why_there_is_none(
    tmp_path: Path, tiny_detector: Path
) -> None:
    write_face_clip(tmp_path / "videos" / "deep" / "face.mp4", num_frames=40)
    write_clip(tmp_path / "videos" / "plain.mp4", num_frames=40)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video at all")
    arms = "floor_pyav,floor_decord,ours_decode,stock,extract_uniform,score_uniform,score_bursts"
    output = tmp_path / "results.json"
    options = ("--only", arms, "--repeats", "1", "--detector", tiny_detector, "--output", output)

    done = _run(tmp_path / "videos", *options)

    assert done.returncode == 0, done.stderr
    text = output.read_text(encoding="utf-8")
    results = json.loads(text)
    assert set(results) >= KEYS | {"clips", "intervals", "machine", "date", "repeats", "notes"}
    for key in KEYS:
        value = results[key]
        assert (value is None) == (key in results["notes"]), key
        assert value is None or (math.isfinite(value) and value > 0), key
    for key in ("extract_uniform_over_floor", "stock_over_ours_bursts"):
        assert results[key] is not None
    assert [clip["name"] for clip in results["clips"]] == ["deep/face.mp4", "plain.mp4"]
    face, plain = (clip["arms"] for clip in results["clips"])
    assert face["score_uniform"]["faces"] == face["stock"]["faces"] == 32
    assert plain["score_uniform"]["faces"] == 0
    assert "left out" in results["notes"]["broken.mp4"]
    assert str(tmp_path) not in text
    assert "extract_uniform" in done.stdout and "missed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "no folder"), (["."], "no video"), ([".", "--only", "stok"], "no part 'stok'")],
)
def test_what_cannot_be_run_is_said_in_a_sentence(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = _run(tmp_path / arguments[0], *arguments[1:])
    assert done.returncode == (2 if "--only" in arguments else 1)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("reader", sorted(READERS))
@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_readers_take_the_frames_of_the_plan(
    tmp_path: Path, reader: str, b_frames: int
) -> None:
    path = write_clip(tmp_path / "clip.mp4", num_frames=300, key_every=20, b_frames=b_frames)
    clip = plan_clip(path, name="clip")
    assert len(clip.indices) == 32
    assert [frame_number(pixels) for pixels in READERS[reader](clip)] == list(clip.indices)


def test_opencv_takes_the_same_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", num_frames=100, b_frames=2)
    clip = plan_clip(path, name="clip")
    read = read_by_opencv(path, indices=clip.indices)
    assert [frame_number(pixels) for pixels in read] == list(clip.indices)


def test_the_floor_is_the_cheaper_reader_of_each_clip() -> None:
    def runs(*seconds: float) -> list[Measured]:
        return [Measured(s, s, Work(frames=32)) for s in seconds]

    costs = summarise(
        {
            ("a", "floor_pyav"): runs(1.0, 9.0, 2.0),
            ("a", "floor_decord"): runs(3.0),
            ("b", "floor_decord"): runs(4.0),
            ("c", "stock"): runs(5.0),
        }
    )
    assert costs["a"]["floor"].cpu_seconds == 2.0
    assert costs["b"]["floor"].cpu_seconds == 4.0
    assert "floor" not in costs["c"]


def test_a_ratio_is_one_of_sums_and_its_interval_holds_it() -> None:
    over, under = [10.0, *[1.0] * 11], [1.0] * 12
    ratio = ratio_of_sums(over, under)
    assert ratio.value == pytest.approx(21 / 12)
    assert ratio.low is not None and ratio.high is not None
    assert 1.0 <= ratio.low < ratio.value < ratio.high
    assert ratio_of_sums(over, under) == ratio


def test_ratios_leave_out_clips_that_one_arm_could_not_read() -> None:
    clips = [Clip(Path(name), name, width=1280, height=720) for name in "ab"]
    whole = {"stock": Cost(8.0, 8.0, 32, 32), "score_bursts": Cost(1.0, 1.0, 32, 32)}
    costs = {"a": whole, "b": {"score_bursts": Cost(0.001, 0.001, 0, 0)}}
    results = to_results(Findings(clips=clips, repeats=1, costs=costs))
    assert results["stock_over_ours_bursts_720p"] == 8.0
    assert results["intervals"]["stock_over_ours_bursts_720p"]["num_clips"] == 1


def test_a_run_without_figures_says_so_of_each() -> None:
    results = to_results(Findings(clips=[], repeats=1))
    assert {target.key for target in TARGETS} == KEYS
    assert all(results[key] is None and results["notes"][key] for key in KEYS)
    assert {spec.key for spec in RATIOS} < KEYS
    json.dumps(results, allow_nan=False)


def test_arms_take_turns_and_a_failure_is_a_note() -> None:
    order: list[str] = []

    def fine(clip: Clip) -> Work:
        order.append(clip.name)
        return Work(frames=1)

    def broken(_: Clip) -> Work:
        raise ValueError("no such thing")

    clips = [Clip(Path(name), name) for name in "ab"]
    timings = time_arms({"fine": fine, "broken": broken}, clips, repeats=3)
    assert order == ["a", "a", "a", "a", "b", "b", "b"]  # the first is the warm-up
    assert {key: len(runs) for key, runs in timings.runs.items()} == {
        ("a", "fine"): 3,
        ("b", "fine"): 3,
    }
    assert timings.failures["broken: a"] == "ValueError: no such thing"
    turns = plan_turns(["stock", "floor_pyav", "floor_decord"], repeats=4, seed="x")
    assert turns.count("stock") == 1 and turns.count("floor_pyav") == 4
    assert turns != sorted(turns)


def test_a_long_clip_is_made_of_one_that_fits(tmp_path: Path) -> None:
    heavy, light, small = tmp_path / "heavy", tmp_path / "light", tmp_path / "small"
    for path, size in ((heavy, 2_000_000), (light, 100_000), (small, 100_000)):
        path.write_bytes(bytes(size))
    sides = {heavy: (1920, 1080), light: (1280, 720), small: (640, 480)}
    clips = [
        Clip(path, path.name, width=w, height=h, duration_seconds=1.0)
        for path, (w, h) in sides.items()
    ]
    found = choose_source(clips)
    assert found is not None and found.name == "light"
    assert choose_source(clips[:1]) is None


def test_an_arm_in_a_process_of_its_own_tells_what_it_cost(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", num_frames=40)
    with IsolatedArm("floor_pyav", setup=ArmSetup(tmp_path, tmp_path)) as arm:
        measured = arm.run([path, path], is_planned=True)
        assert measured["frames"] == 64
        assert (
            measured["cpu_seconds"] > 0 and 20 < measured["rss_mb"] <= measured["peak_rss_mb"] < 500
        )
        with pytest.raises(RuntimeError, match="FileNotFoundError"):
            arm.run([tmp_path / "gone.mp4"])
        assert arm.run([path], is_planned=True)["frames"] == 32


def test_spread_items_takes_each_once() -> None:
    assert spread_items(range(100), count=4) == [12, 37, 62, 87]


@pytest.mark.slow
def test_many_files_and_a_long_clip_in_small(tmp_path: Path, tiny_detector: Path) -> None:
    setup = ArmSetup(bundle=tiny_detector, cache=tmp_path / "engines")
    (tmp_path / "many").mkdir()
    found = time_many_files(tmp_path / "many", setup=setup, many=60, few=10)
    assert 0.3 < found["per_file"] < 3
    assert found["faces_a_file"] >= 1
    assert abs(found["rss_growth_mb"]) < 200

    path = write_face_clip(tmp_path / "face.mp4", num_frames=40)
    source = plan_clip(path, name="face.mp4")
    long = time_long_clip(tmp_path, source=source, setup=setup, seconds=120.0)
    assert long["frames"] == 32 and long["faces"] > 0
    assert 0 < long["seconds"] < 60 and long["rss_mb"] > 50
    assert long["source"] == "face.mp4"
