"""`deepfake demo`: every step on media made here."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

from deepfake.cli.evaluate import print_evaluate
from deepfake.cli.ingest import print_ingest
from deepfake.cli.score import print_score
from deepfake.cli.train import print_train
from deepfake.config.options import DemoOptions
from deepfake.corpora.demo import find_sources, make_demo_media
from deepfake.storage import DataRoot, local_path, new_run_name
from deepfake.storage.environment import configure_environment

__all__ = ["MODEL_NAME", "run_demo"]

MODEL_NAME = "deepfake-detector-demo"
_CORPUS = "demo"


def run_demo(options: DemoOptions) -> None:
    """Make media, ingest, train, evaluate and score, and print where the results are."""
    from flows.server.run import share_server

    data_root = local_path(options.data_root)
    console = Console(markup=False)
    find_sources()
    DataRoot(data_root).make_here()
    configure_environment(data_root)
    console.rule("1 of 5: media from two installed packages")
    media = make_demo_media(data_root / "demo")
    console.print(f"{media.num_files} files in {media.corpus.parent}", soft_wrap=True)
    with share_server():
        _run_flows(console, data_root, media.corpus, media.inbox)


def _run_flows(console: Console, data_root: Path, corpus: Path, inbox: Path) -> None:
    from flows.evaluate import evaluate
    from flows.ingest import ingest
    from flows.score import score
    from flows.train import train

    root = str(data_root)
    console.rule("2 of 5: ingest (scan, probe, extract, split, index)")
    print_ingest(ingest(str(corpus), _CORPUS, data_root=root, frames=8))
    console.rule("3 of 5: train")
    trained = train(
        _CORPUS,
        data_root=root,
        epochs=3,
        name=MODEL_NAME,
        run_name=new_run_name("demo"),
    )
    print_train(trained)
    console.rule("4 of 5: evaluate")
    measured = evaluate(_CORPUS, weights=trained["bundle"], data_root=root)
    print_evaluate(measured, is_brief=True)
    console.print(
        "Training and test show the same two people, so this is no real evaluation: "
        "the numbers only show that the steps work.",
        style="bold yellow",
    )
    console.rule("5 of 5: score a folder")
    output = data_root / "demo" / "scores"
    scored = score(str(inbox), str(output), weights=trained["bundle"], data_root=root)
    print_score(scored)
    console.print("notes.mp4 is a text file and landscape.png has no face: each has its row.")
    console.rule("where everything is")
    console.print(f"scores:     {output / 'scores.csv'}", soft_wrap=True)
    console.print(f"detector:   {trained['bundle']}", soft_wrap=True)
    console.print(f"MLflow run: {trained['run_id']}")
    console.print(f"MLflow UI:  {trained['ui_command']}", soft_wrap=True, highlight=False)
    console.print(
        f"Prefect UI: {_prefect_ui_command(data_root)}   (then open http://127.0.0.1:4200)",
        soft_wrap=True,
        highlight=False,
    )


def _prefect_ui_command(data_root: Path) -> str:
    """Return the one command that opens Prefect's page on the runs under a data root."""
    home = os.environ.get("PREFECT_HOME", str((data_root / ".prefect").resolve()))
    command = shutil.which("prefect", path=str(Path(sys.executable).parent)) or "prefect"
    return f"PREFECT_HOME={home} PREFECT_SERVER_ANALYTICS_ENABLED=false {command} server start"
