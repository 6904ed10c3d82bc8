"""A training over several processes, as on several GPUs: here two on the CPU."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from deepfake.config import AugmentConfig, TrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.training import fit as fitting
from deepfake.training.data import collect_crops
from deepfake.training.metrics_file import read_metrics_file
from deepfake.training.plan import plan_run
from deepfake.training.run_folder import RunFolder

CONFIG = TrainConfig(
    model="test_efficientnet",
    pretrained="none",
    input_size=64,
    epochs=2,
    batch_size=4,
    learning_rate=3e-3,
    precision="bf16-mixed",
    max_crops_per_epoch=16,
    max_cpu_minutes=60,
    augment=AugmentConfig(is_enabled=False),
)


class WritesRows(Callback):  # type: ignore[misc]
    """Writes which rows each process learnt from in each epoch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_batch_start(self, trainer: Any, _module: Any, batch: Any, _number: int) -> None:
        line = {"epoch": trainer.current_epoch, "rows": batch[2].tolist()}
        with (self._folder / f"{trainer.global_rank}.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")


@pytest.fixture
def snapshot(tmp_path: Path, corpus_writer: Any, file_plan: Any) -> Snapshot:
    written: Snapshot = corpus_writer(tmp_path / "corpus", file_plan({"train": 24, "val": 60}))
    return written


@pytest.mark.slow
def test_two_processes_share_an_epoch_and_the_next_one_is_another(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {"accelerator": "cpu", "devices": 2, "strategy": "ddp_spawn"}
    monkeypatch.setattr(fitting, "_placement", lambda _: two)
    plan = plan_run(
        [snapshot],
        config=CONFIG,
        folder=RunFolder(tmp_path / "run"),
        name="tried",
        device=torch.device("cpu"),
        num_workers=0,
        resume=False,
    )
    drawn = tmp_path / "drawn"
    drawn.mkdir()

    fitted = fitting.fit(plan, callbacks=[WritesRows(drawn)], show_progress=False)

    rows: dict[int, list[set[int]]] = defaultdict(list)
    for path in sorted(drawn.iterdir()):
        by_epoch: dict[int, list[int]] = defaultdict(list)
        for line in path.read_text().splitlines():
            by_epoch[json.loads(line)["epoch"]] += json.loads(line)["rows"]
        for epoch, own in by_epoch.items():
            assert len(own) == 8, "half of the sixteen crops of an epoch"
            rows[epoch].append(set(own))
    assert set(rows) == {0, 1}
    for first, second in rows.values():
        assert not first & second
    assert set.union(*rows[0]) != set.union(*rows[1]), "each epoch draws anew"

    assert fitted.num_epochs == 2
    metrics = read_metrics_file(plan.folder.metrics)
    assert [m["epoch"] for m in metrics if m["name"] == "val_auc"] == [0, 1], "written once"
    crops = collect_crops([snapshot])
    assert len(plan.selection.choose) < (crops["split"] == "val").sum()
    for tensor in fitted.state.values():
        assert torch.isfinite(tensor.double()).all()
