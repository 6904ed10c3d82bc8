"""`deepfake receipt` and `deepfake verify`: export a score, and recompute it."""

from __future__ import annotations

import json

import typer

from deepfake.cli.exit_codes import ExitCode
from deepfake.config.options import ReceiptOptions, VerifyOptions
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import DataError
from deepfake.registry.resolve import (
    resolve_detector,
    resolve_sync_detector,
    resolve_voice_detector,
)
from deepfake.scoring import ScoresFolder, make_receipt, read_receipt, verify_receipt
from deepfake.storage import engine_cache, local_path, location_of, write_json
from deepfake.storage.environment import configure_environment
from deepfake.types import Status

__all__ = ["run_receipt", "run_verify"]

_REPRODUCED = "reproduced: this detector gives this file the score of the receipt, right or wrong"
_REPRODUCED_WITHOUT_SCORE = "reproduced: this file again gets no score"
_NOT_REPRODUCED = "not reproduced"

_MARKS = {True: "ok  ", False: "FAIL", None: "note"}


def run_receipt(options: ReceiptOptions) -> None:
    """Write the receipt of one score."""
    receipt = make_receipt(ScoresFolder(location_of(options.folder)), options.which)
    record = receipt.model_dump(mode="json")
    if options.output is None:
        typer.echo(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False))
        return
    written = write_json(options.output, record)
    typer.echo(f"receipt of {receipt.uri}: {written}")


def run_verify(options: VerifyOptions) -> None:
    """Print one line per check of a receipt; exit with 1 if one fails."""
    data_root = local_path(options.data_root)
    configure_environment(data_root)
    try:
        receipt = read_receipt(options.receipt)
    except DataError as error:
        typer.echo(f"{_MARKS[False]}  receipt: {error}")
        _end(_NOT_REPRODUCED, is_reproduced=False)
        return
    detector, how = resolve_detector(options.weights, data_root=data_root)
    typer.echo(f"detector: {detector.name} ({how})", err=True)
    voice, sync = None, None
    if receipt.voice_detector is not None:
        voice = resolve_voice_detector(options.voice_weights, data_root=data_root)
    if receipt.sync_detector is not None:
        sync = resolve_sync_detector(options.sync_weights, data_root=data_root)
    is_reproduced = True
    for check in verify_receipt(
        receipt,
        detector=detector,
        bundle=load_bundle(detector.path),
        voice=None if voice is None else voice[0],
        sync=None if sync is None else sync[0],
        file=options.file,
        cache=engine_cache(),
    ):
        typer.echo(f"{_MARKS[check.is_passed]}  {check.name}: {check.finding}")
        is_reproduced = is_reproduced and check.is_passed is not False
    is_judged = receipt.score.status == Status.OK
    done_again = _REPRODUCED if is_judged else _REPRODUCED_WITHOUT_SCORE
    _end(done_again if is_reproduced else _NOT_REPRODUCED, is_reproduced=is_reproduced)


def _end(line: str, *, is_reproduced: bool) -> None:
    typer.echo(line)
    if not is_reproduced:
        raise typer.Exit(ExitCode.FAILED)
