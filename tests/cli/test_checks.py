"""Mistakes are reported before Prefect, PyTorch or a worker starts, with exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepfake.cli.app import COMMANDS, GROUPS
from tests.command_line import product_environment

_HEAVY = ["prefect", "torch", "timm", "lightning", "uvicorn"]
"""What takes seconds to import."""

_NO_CUDA = """\
import ctypes, pathlib
class NoDriver(ctypes.CDLL):
    def __init__(self, name, *args, **named):
        if str(name).startswith("libcuda"):
            raise OSError(name)
        super().__init__(name, *args, **named)
ctypes.CDLL = NoDriver
is_there = pathlib.Path.exists
pathlib.Path.exists = lambda self, **named: str(self) != "/dev/kfd" and is_there(self, **named)
"""
_PROGRAM = """
import contextlib, io, json, sys, time
from deepfake.cli import app as program, main
done = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["deepfake", *arguments]
    began = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        try:
            main()
        except SystemExit as ending:
            code = ending.code
    heavy = [name for name in HEAVY if name in sys.modules]
    done.append([code, stderr.getvalue(), heavy, time.process_time() - began])
print(json.dumps(done))
"""
_MISTAKES: dict[str, tuple[str, str]] = {
    # What is typed -> what is said.
    "score-folder": ("score nosuch --output out", "no such file or folder: nosuch"),
    "score-output": ("score media --output media", "cannot go among the media"),
    "score-file": ("score media --output a-file", "the folder for the scores cannot be created"),
    "score-weights": ("score media --output out --weights nosuch", "no such detector: nosuch"),
    "score-not-a-detector": ("score media --output out --weights media", "not a detector"),
    "score-device": ("score media --output out --device cuda", "CUDA was asked for"),
    "score-cluster": (
        "score media --output out --dask-address tcp://127.0.0.1:1",
        "but batches run in threads",
    ),
    "ingest-input": ("ingest nosuch --corpus c", "no such file or folder: nosuch"),
    "ingest-device": ("ingest media --corpus c --device cuda", "CUDA was asked for"),
    "train-dataset": ("train --dataset nosuch", "'nosuch' is neither an ingested corpus"),
    "train-store": ("train --dataset s3://bucket/corpus", "expected an ingested corpus"),
    "train-recipe": ("train --dataset media --recipe nosuch", "no recipe 'nosuch'"),
    "train-model": ("train --dataset media --model resnet5O", "no model 'resnet5O'; close: "),
    "train-gpu": ("train --dataset media --use-gpu", "CUDA was asked for"),
    "train-f16": (
        "train --dataset media --device cpu --precision f16",
        "a training in f16 needs CUDA",
    ),
    "train-both": ("train --dataset media --use-gpu --device cpu", "contradict each other"),
    "train-weights": ("train --dataset media --pretrained nosuch", "no weights 'nosuch'"),
    "train-run": ("train --dataset media --run-name taken", "the run 'taken' already exists"),
    "train-share": ("train --dataset media --sbi-share 0.5", "sbi_share goes with"),
    "retrain-dataset": ("retrain --dataset nosuch", "'nosuch' is neither an ingested corpus"),
    "retrain-recipe": ("retrain --dataset media --recipe nosuch", "no recipe 'nosuch'"),
    "retrain-model": ("retrain --dataset media --model nosuch", "no model 'nosuch'"),
    "retrain-policy": ("retrain --dataset media --policy nosuch", "no policy 'nosuch'"),
    "retrain-held-out": ("retrain --dataset media --held-out nosuch", "no held-out set 'nosuch'"),
    "retrain-device": ("retrain --dataset media --device cuda", "CUDA was asked for"),
    "sweep-dataset": ("sweep --dataset nosuch", "'nosuch' is neither an ingested corpus"),
    "sweep-space": ("sweep --dataset media --space nosuch", "no search space 'nosuch'"),
    "sweep-device": ("sweep --dataset media --device cuda", "CUDA was asked for"),
    "calibrate-dataset": ("calibrate --dataset nosuch", "'nosuch' is neither an ingested corpus"),
    "calibrate-weights": ("calibrate --dataset media --weights nosuch", "no such detector"),
    "calibrate-run": ("calibrate --dataset media --run-name taken", "'taken' already exists"),
    "evaluate-dataset": ("evaluate --dataset nosuch", "'nosuch' is neither an ingested corpus"),
    "evaluate-weights": ("evaluate --dataset media --weights nosuch", "no such detector: nosuch"),
    "evaluate-against": ("evaluate --dataset media --against nosuch", "no such detector: nosuch"),
    "evaluate-device": ("evaluate --dataset media --device cuda", "CUDA was asked for"),
    "robustness-weights": ("robustness --dataset media --weights nosuch", "no such detector"),
    "robustness-step": ("robustness --dataset media --perturbation nosuch", "nosuch"),
    "calibrate-unseen": (
        "calibrate --dataset media --unseen nosuch",
        "'nosuch' is neither an ingested corpus",
    ),
    "join-first": ("join nosuch media --output out", "no detector at nosuch"),
    "join-second": ("join media nosuch --output out", "no detector at nosuch"),
    "join-output": ("join media media --output a-file", "a-file exists already"),
    "clips-dataset": ("clips --dataset media --output out", "'media' is no ingested corpus"),
    "freeze-dataset": ("held-out freeze b --dataset media", "'media' is no ingested corpus"),
    "detect-file": ("detect nosuch.mp4", "no such file or folder: nosuch.mp4"),
    "detect-weights": ("detect a-file --weights nosuch", "no such detector: nosuch"),
    "detect-device": ("detect a-file --device cuda", "CUDA was asked for"),
    "export-output": ("export --output a-file", "the file exists already: a-file"),
    "export-weights": ("export --output out.onnx --weights nosuch", "no such detector: nosuch"),
    "report-folder": ("report nosuch", "no such file or folder: nosuch"),
    "status-folder": ("status nosuch", "no such file or folder: nosuch"),
    "sample-folder": ("sample nosuch", "no such file or folder: nosuch"),
    "receipt-folder": ("receipt nosuch a.png", "no such file or folder: nosuch"),
    "verify-receipt": ("verify nosuch", "no such file or folder: nosuch"),
    "verify-folder": ("verify media", "a folder, not a file: media"),
    "webcam-weights": (
        "webcam --source a-file --headless --weights nosuch",
        "no such detector: nosuch",
    ),
    "app-weights": ("app --weights nosuch", "no such detector: nosuch"),
    "up-file": ("up --file nosuch.yaml", "no such file or folder: nosuch.yaml"),
    "setup-file": ("setup --file nosuch.yaml", "no such file or folder: nosuch.yaml"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Make every mistake in one process: exit code, what is said, what was imported, CPU time."""
    here = tmp_path_factory.mktemp("mistakes")
    for label in ("real", "fake"):
        (here / "media" / label).mkdir(parents=True)
    (here / "a-file").write_text("no medium")
    (here / "data" / "runs" / "taken").mkdir(parents=True)
    typed = [text.split() for text, _ in _MISTAKES.values()]
    program = f"HEAVY = {_HEAVY!r}\n{_NO_CUDA}{_PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(typed)],
        cwd=here,
        env=product_environment(COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _names(here) == {"media", "a-file", "data"}, "nothing is made"
    return dict(zip(_MISTAKES, json.loads(done.stdout), strict=True))


_WITHOUT_NAMES = {"held-out list", "demo", "doctor", "forget"}
_OF_THE_REGISTRY = {f"models {name}" for name in ("list", "show", "compare", "promote", "rollback")}
"""Which versions there are only MLflow can tell."""


def test_every_command_has_its_mistakes() -> None:
    commands = {*COMMANDS, *(f"{group} {n}" for group, (_, own) in GROUPS.items() for n in own)}
    lines = [text for text, _ in _MISTAKES.values()]
    lacking = {c for c in commands if not any(line.startswith(f"{c} ") for line in lines)}
    assert lacking == _WITHOUT_NAMES | _OF_THE_REGISTRY


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_a_mistake_is_reported_before_anything_starts(
    answers: dict[str, list[Any]], mistake: str
) -> None:
    code, said, heavy, seconds = answers[mistake]
    assert _MISTAKES[mistake][1] in " ".join(said.replace("│", " ").split())
    assert code == 2, said
    assert heavy == []
    # Of CPU: on a busy machine the clock tells nothing.
    assert seconds < 2
