"""What is typed for scoring and for export arrives."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deepfake.cli import app
from deepfake.compute import openvino as engines
from deepfake.config import MediaLimits, SamplingConfig, WorkerLimits
from deepfake.detectors.inference import OnnxExport
from deepfake.errors import ConfigError
from deepfake.scoring import ScoredMedium, ScorerSetup
from tests.sample_data import make_detector
from tests.scores import make_score


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("d") / "b", num_frames=8)


def _detect(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    detector: Path,
    *options: str,
    limits: WorkerLimits | None = None,
) -> ScorerSetup:
    taken: list[ScorerSetup] = []

    def score_media(_: object, *, setup: ScorerSetup, **given: object) -> list[ScoredMedium]:
        taken.append(setup)
        assert given["limits"] == (limits or WorkerLimits())
        return [ScoredMedium(make_score("/m/a.png", prob_fake=0.1))]

    module = importlib.import_module("deepfake.cli.detect")
    monkeypatch.setattr(module, "score_media", score_media)
    # It would tell this whole process where Prefect's home is.
    monkeypatch.setattr(module, "configure_environment", lambda _: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    arguments = ["detect", "a.png", "--weights", str(detector), *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return taken[0]


def test_detect_takes_precision_and_frames(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector: Path
) -> None:
    monkeypatch.setattr(engines, "has_bf16", lambda: True)
    setup = _detect(
        monkeypatch,
        tmp_path,
        detector,
        *("--device", "cpu", "--precision", "bf16", "--sampling", "fps", "--fps", "2"),
    )
    assert (setup.device, setup.precision) == ("cpu", "bf16")
    assert setup.sampling == SamplingConfig(strategy="fps", fps=2.0, num_frames=8)
    assert not (tmp_path / "data").exists(), "no data root is made for one call"


@pytest.mark.parametrize("has_root", [True, False])
def test_detect_keeps_networks_in_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector: Path, has_root: bool
) -> None:
    if has_root:
        (tmp_path / "root").mkdir()
    monkeypatch.delenv("DEEPFAKE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    setup = _detect(monkeypatch, tmp_path, detector, "--data-root", "root", "--frames", "3")
    assert setup.cache == tmp_path / "cache" / "deepfake" / "openvino"
    assert setup.sampling == SamplingConfig(num_frames=3)
    assert (setup.device, setup.precision) == ("cpu", "f32")


def test_detect_takes_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector: Path
) -> None:
    assert _detect(monkeypatch, tmp_path, detector).limits == MediaLimits()
    of_media = ("--max-pixels", "7", "--max-frames", "8", "--max-mb", "9")
    of_workers = ("--cpu-seconds", "10", "--timeout-seconds", "11", "--memory-mb", "12")
    limits = WorkerLimits(cpu_seconds=10, timeout_seconds=11, memory_bytes=12 * 2**20)
    options = (*of_media, *of_workers)
    setup = _detect(monkeypatch, tmp_path, detector, *options, limits=limits)
    assert setup.limits == MediaLimits(max_pixels=7, max_frames=8, max_bytes=9 * 2**20)


def test_detect_says_that_the_processor_has_no_bf16(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector: Path
) -> None:
    monkeypatch.setattr(engines, "has_bf16", lambda: False)
    with pytest.raises(ConfigError, match="does not compute in bfloat16"):
        _detect(monkeypatch, tmp_path, detector, "--device", "cpu", "--precision", "bf16")


def test_export_writes_to_the_given_path_and_says_how_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector: Path
) -> None:
    taken: list[tuple[Path, Path, bool]] = []

    def export_onnx(folder: Path, output: Path, *, overwrite: bool) -> OnnxExport:
        taken.append((folder, output, overwrite))
        metadata = {"input": "[/x]", "output": "logit", "mean": "[0.5]", "std": "[0.5]"}
        return OnnxExport(output, 18, metadata, 2.5e-6)

    module = importlib.import_module("deepfake.cli.export")
    monkeypatch.setattr(module, "export_onnx", export_onnx)
    monkeypatch.setattr(module, "configure_environment", lambda _: None)
    monkeypatch.chdir(tmp_path)
    arguments = ["export", "--weights", str(detector), "--output", "m.onnx", "--overwrite"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert taken == [(detector, Path("m.onnx"), True)]
    assert "largest difference to PyTorch: 2.5e-06" in result.output
    assert "[/x]" in result.output
    assert "named by the user" in result.output
