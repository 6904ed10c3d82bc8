"""Workers and the device process: right answers to whoever asked, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.compute.device_process import DeviceAddress, DeviceClient, DeviceProcess, DeviceSetup
from deepfake.errors import ModelError, WorkerError
from tests.deepfake.compute.device_fakes import create, refuse


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeviceProcess]:
    marker = tmp_path_factory.mktemp("device") / "died"
    with DeviceProcess(DeviceSetup(create, str(marker))) as running:
        yield running


def pictures(count: int, *, first: int = 1, side: int = 6) -> NDArray[np.uint8]:
    """Return pictures of one level each, ascending."""
    levels = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, side, side, 3)).copy()


@pytest.mark.parametrize("count", [1, 8, 9, 30])
def test_each_picture_gets_its_answer(process: DeviceProcess, count: int) -> None:
    client = DeviceClient(process.address)
    means, filled = client.run("means", pictures(count))
    assert means.tolist() == [float(level) for level in range(1, count + 1)]
    assert filled.shape == (count,)
    client.close()


def test_many_workers_get_their_own(process: DeviceProcess) -> None:
    wrong: list[int] = []

    def ask(worker: int) -> None:
        client = DeviceClient(process.address)
        for turn in range(30):
            asked = pictures(1 + (turn + worker) % 5, first=worker * 20 + 1, side=4 + worker % 2)
            means, _ = client.run("means", asked)
            if means.tolist() != asked[:, 0, 0, 0].astype(float).tolist():
                wrong.append(worker)
        client.close()

    threads = [threading.Thread(target=ask, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_request_larger_than_the_block(process: DeviceProcess) -> None:
    client = DeviceClient(process.address)
    client.run("means", pictures(1))
    large = np.full((2, 2000, 1500, 3), 7, dtype=np.uint8)
    means, _ = client.run("means", large)
    assert means.tolist() == [7.0, 7.0]
    client.close()


def test_what_a_network_says_reaches_who_asked(process: DeviceProcess) -> None:
    client = DeviceClient(process.address)
    with pytest.raises(ModelError, match="fails on everything"):
        client.run("raising", pictures(5))
    with pytest.raises(WorkerError, match="no network 'missing'"):
        client.run("missing", pictures(1))
    assert client.run("means", pictures(1))[0].tolist() == [1.0]
    client.close()


def test_a_lost_process_is_started_anew(process: DeviceProcess) -> None:
    client = DeviceClient(process.address)
    (answer,) = client.run("dying", pictures(1))
    assert answer.tolist() == [0.0]
    assert client.run("means", pictures(2))[0].tolist() == [1.0, 2.0]
    client.close()


def test_a_set_up_that_fails_says_why() -> None:
    with pytest.raises(ModelError, match="no such detector"):
        DeviceProcess(DeviceSetup(refuse, ""))


def test_a_stranger_without_the_key_is_refused(process: DeviceProcess) -> None:
    import multiprocessing

    with pytest.raises(multiprocessing.AuthenticationError):
        DeviceClient(DeviceAddress(process.address.path, b"guessed"))
    client = DeviceClient(process.address)
    assert client.run("means", pictures(1))[0].tolist() == [1.0]
    client.close()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    running = DeviceProcess(DeviceSetup(create, str(tmp_path / "x")))
    folder = Path(running.address.path).parent
    client = DeviceClient(running.address)
    client.run("means", pictures(1))
    assert [path.name for path in folder.iterdir()] == ["socket"]
    client.close()
    running.close()
    assert not folder.exists()
