"""The program: all of its commands, and how its errors are printed."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from deepfake import __version__
from deepfake.cli.exit_codes import ExitCode, exit_code_of_error
from deepfake.cli.options import add_command
from deepfake.cli.process_environment import normalise_environment
from deepfake.cli.signals import end_if_stopped, stop_command_on_signals
from deepfake.cli.text import in_one_line
from deepfake.compute.processes.stop import stop_signal
from deepfake.config import options as of
from deepfake.errors import DeepfakeError

__all__ = ["COMMANDS", "GROUPS", "LIBGL_HINT", "app", "is_libgl_missing", "main"]

_SETTINGS = {
    # --batch_size is --batch-size
    "token_normalize_func": lambda name: name.replace("_", "-"),
    "help_option_names": ["-h", "--help"],
}

LIBGL_HINT = "Where libGL is missing: apt-get install libgl1 libglib2.0-0 (Debian, Ubuntu)."


COMMANDS: dict[str, tuple[type[of.Options], str]] = {
    "ingest": (of.IngestOptions, "deepfake.cli.ingest:run_ingest"),
    "train": (of.TrainOptions, "deepfake.cli.train:run_train"),
    "retrain": (of.RetrainOptions, "deepfake.cli.retrain:run_retrain"),
    "sweep": (of.SweepOptions, "deepfake.cli.sweep:run_sweep"),
    "calibrate": (of.CalibrateOptions, "deepfake.cli.calibrate:run_calibrate"),
    "clips": (of.ClipsOptions, "deepfake.cli.clips:run_clips"),
    "evaluate": (of.EvaluateOptions, "deepfake.cli.evaluate:run_evaluate"),
    "robustness": (of.RobustnessOptions, "deepfake.cli.robustness:run_robustness"),
    "detect": (of.DetectOptions, "deepfake.cli.detect:run_detect"),
    "webcam": (of.WebcamOptions, "deepfake.cli.webcam:run_webcam"),
    "app": (of.AppOptions, "deepfake.cli.webapp:run_app"),
    "score": (of.ScoreOptions, "deepfake.cli.score:run_score"),
    "report": (of.ReportOptions, "deepfake.cli.report:run_report"),
    "status": (of.StatusOptions, "deepfake.cli.status:run_status"),
    "sample": (of.SampleOptions, "deepfake.cli.sample:run_sample"),
    "receipt": (of.ReceiptOptions, "deepfake.cli.receipts:run_receipt"),
    "verify": (of.VerifyOptions, "deepfake.cli.receipts:run_verify"),
    "forget": (of.ForgetOptions, "deepfake.cli.forget:run_forget"),
    "join": (of.JoinOptions, "deepfake.cli.join:run_join"),
    "export": (of.ExportOptions, "deepfake.cli.export:run_export"),
    "setup": (of.SetupOptions, "deepfake.cli.servers:run_setup"),
    "up": (of.UpOptions, "deepfake.cli.servers:run_up"),
    "demo": (of.DemoOptions, "deepfake.cli.demo:run_demo"),
    "doctor": (of.DoctorOptions, "deepfake.cli.doctor:run_doctor"),
}
"""The options of each command, and the function that runs it; in the order of the help."""

GROUPS: dict[str, tuple[str, dict[str, tuple[type[of.Options], str]]]] = {
    "models": (
        "List, compare, promote and roll back registered detectors.",
        {
            "list": (of.ListVersionsOptions, "deepfake.cli.models:run_list"),
            "show": (of.ShowVersionOptions, "deepfake.cli.models:run_show"),
            "compare": (of.CompareVersionsOptions, "deepfake.cli.models:run_compare"),
            "promote": (of.PromoteOptions, "deepfake.cli.models:run_promote"),
            "rollback": (of.RollbackOptions, "deepfake.cli.models:run_rollback"),
        },
    ),
    "held-out": (
        "Freeze files that decide about detectors and are never trained on.",
        {
            "freeze": (of.FreezeOptions, "deepfake.cli.held_out:run_freeze"),
            "list": (of.ListHeldOutSetsOptions, "deepfake.cli.held_out:run_list"),
        },
    ),
}

_FORMER_GROUPS = {"benchmark": "held-out"}
"""Names that groups had; they work, and the help does not show them."""


def _create_app() -> typer.Typer:
    program = typer.Typer(
        name="deepfake",
        help="Find deepfakes: ingest corpora, train and compare detectors, score media folders.",
        no_args_is_help=True,
        add_completion=False,
        context_settings=_SETTINGS,
        pretty_exceptions_enable=False,
    )
    for name, (model, target) in COMMANDS.items():
        add_command(program, name, model, target)
    for group_name in GROUPS:
        program.add_typer(_create_group(group_name), name=group_name)
    for former_name, group_name in _FORMER_GROUPS.items():
        program.add_typer(_create_group(group_name), name=former_name, hidden=True)
    return program


def _create_group(name: str) -> typer.Typer:
    text, commands = GROUPS[name]
    group = typer.Typer(help=text, no_args_is_help=True)
    for command, (model, target) in commands.items():
        add_command(group, command, model, target, group=name)
    return group


app = _create_app()


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"deepfake {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    # `--debug` is looked for in the arguments by those who catch errors, `--version` ends here.
    del debug, version


def is_libgl_missing(error: BaseException) -> bool:
    """Return whether an error says that a library is missing which OpenCV loads.

    The loader of the system gives no more than a text: "libGL.so.1: cannot open shared object".
    """
    return any(name in str(error) for name in ("libGL", "libgthread"))


def main() -> None:
    """Run the command; Ctrl-C and SIGTERM stop it, and an error of ours is one line and a hint."""
    normalise_environment()
    stop_command_on_signals()
    try:
        _run()
    except BaseException as error:
        end_if_stopped(error)
        raise


def _run() -> None:
    try:
        app()
    except DeepfakeError as error:
        if stop_signal() is not None:
            raise  # for want of what the stop has taken away
        if "--debug" in sys.argv:
            traceback.print_exc()
        typer.secho(f"error: {in_one_line(str(error))}", err=True, fg="red")
        # A media worker that OpenCV kept from starting says so in its error.
        if hint := LIBGL_HINT if is_libgl_missing(error) else error.hint:
            typer.secho(f"hint: {hint}", err=True)
        raise SystemExit(int(exit_code_of_error(error))) from None
    except OSError as error:
        # A folder that cannot be written, a full disk: the reason is the system's.
        if "--debug" in sys.argv or error.filename is None or stop_signal() is not None:
            raise
        typer.secho(f"error: {in_one_line(str(error))}", err=True, fg="red")
        typer.secho("hint: --debug shows where it happened.", err=True)
        raise SystemExit(int(ExitCode.FAILED)) from None
    except ImportError as error:
        if "--debug" in sys.argv or not is_libgl_missing(error):
            raise
        typer.secho(f"error: OpenCV does not load ({error})", err=True, fg="red")
        typer.secho(f"hint: {LIBGL_HINT}", err=True)
        raise SystemExit(int(ExitCode.FAILED)) from None
