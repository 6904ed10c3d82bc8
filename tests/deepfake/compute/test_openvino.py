"""Small graphs through the CPU's engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake.compute import openvino as engines
from deepfake.compute.openvino import (
    Graph,
    compile_engine,
    convert_module,
    import_openvino,
    load_graph,
    read_graph,
    save_graph,
)
from deepfake.errors import ConfigError, ModelError
from tests.paths import CHECKOUT


class _Sums(nn.Module):
    """Gives the sum and the largest of each row."""

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows.sum(dim=1), rows.amax(dim=1)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return convert_module(_Sums().eval(), example=torch.zeros((1, 4)))


@pytest.fixture
def rows() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((9, 4), dtype=np.float32)


@pytest.mark.parametrize("num_streams", [1, 3])
def test_each_row_has_its_outputs_in_its_place(
    graph: Graph, rows: NDArray[np.float32], num_streams: int
) -> None:
    engine = compile_engine(graph, num_threads=num_streams, num_streams=num_streams)
    sums, largest = engine.run_each(rows)
    np.testing.assert_allclose(sums, rows.sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(largest, rows.max(axis=1))
    assert sums.dtype == np.float32


def test_outputs_outlive_the_next_call(graph: Graph, rows: NDArray[np.float32]) -> None:
    engine = compile_engine(graph)
    first, _ = engine.run(rows[:1])
    engine.run(rows[1:2])
    assert first == pytest.approx(rows[0].sum(), abs=1e-6)


def test_shape_can_be_another_and_the_graph_stays(graph: Graph, rows: NDArray[np.float32]) -> None:
    sums, _ = compile_engine(graph, input_shape=(9, 4)).run(rows)
    np.testing.assert_allclose(sums, rows.sum(axis=1), atol=1e-6)
    assert list(graph.inputs[0].shape) == [1, 4]


def test_every_second_row_is_laid_out_anew(graph: Graph, rows: NDArray[np.float32]) -> None:
    sums, _ = compile_engine(graph).run_each(rows[::2, ::-1])
    np.testing.assert_allclose(sums, rows[::2].sum(axis=1), atol=1e-6)


def test_workers_are_not_bound_to_one_core(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    monkeypatch.setattr(engines, "Engine", lambda made, **_: compiled.append(made))
    compile_engine(graph)
    assert compiled[0].get_property("ENABLE_CPU_PINNING") is False
    assert compiled[0].get_property("INFERENCE_NUM_THREADS") == 1
    assert "float32" in str(compiled[0].get_property("INFERENCE_PRECISION_HINT"))


def test_bf16_is_not_silently_something_else(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "has_bf16", lambda: False)
    with pytest.raises(ConfigError, match="bfloat16"):
        compile_engine(graph, precision="bf16")


def test_graph_comes_back_from_disk(
    graph: Graph, tmp_path: Path, rows: NDArray[np.float32]
) -> None:
    save_graph(graph, tmp_path / "g.xml")
    sums, _ = compile_engine(read_graph(tmp_path / "g.xml")).run(rows[:1])
    assert sums == pytest.approx(rows[0].sum(), abs=1e-6)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network\n")
    for name in ("text.onnx", "absent.xml"):
        with pytest.raises(ModelError, match="not a readable network"):
            read_graph(tmp_path / name)


class _Undecided(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return rows if bool(rows.sum() > 0) else -rows


def test_network_that_cannot_be_traced_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be converted"):
        convert_module(_Undecided(), example=torch.zeros((1, 4)))


def test_failed_writing_leaves_nothing_and_is_tried_again(graph: Graph, tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half a graph")
        raise ModelError("no more")

    with pytest.raises(ModelError, match="no more"):
        load_graph(tmp_path, "name", write=fail)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    made = load_graph(tmp_path, "name", write=lambda path: save_graph(graph, path))
    assert list(made.inputs[0].shape) == [1, 4]


_SIGNALLED = """
import gc, signal, subprocess
import numpy as np
from deepfake.compute.openvino import compile_engine, has_bf16, import_openvino
ov = import_openvino()
def engine():
    rows = ov.opset13.parameter([1, 4], ov.Type.f32)
    return compile_engine(ov.Model([ov.opset13.abs(rows)], [rows], "abs"))
signals = []
signal.signal(signal.SIGCHLD, lambda *_: signals.append(1))
first, second = engine(), engine()
has_bf16()
del first
gc.collect()
second.run(np.zeros((1, 4), np.float32))
del second
gc.collect()
subprocess.run(["true"], check=True)
assert signals
"""


def test_process_whose_engines_are_gone_outlives_a_signal() -> None:
    done = _run(_SIGNALLED)
    assert done.returncode == 0, done.stderr or f"signal {-done.returncode}"


def test_openvino_reports_to_nobody() -> None:
    code = (
        "import sys\n"
        "from deepfake.compute.openvino import import_openvino\n"
        "assert import_openvino().Core().available_devices\n"
        "loaded = [n for n, m in sys.modules.items() if 'telemetry' in n and m is not None]\n"
        "assert not any(n.startswith('openvino_telemetry') for n in loaded), loaded\n"
        "assert sys.modules.pop('openvino.tools.ovc') is None, 'the converter was imported'\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "assert telemetry_utils.tm.__name__.endswith('telemetry_stub')\n"
    )
    done = _run(code)
    assert done.returncode == 0, done.stderr
    assert import_openvino().__name__ == "openvino"


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
