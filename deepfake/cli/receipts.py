"""`deepfake receipt` and `deepfake verify`: a score on paper, and the same score again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from deepfake.cli.detector_choice import engine_cache_of
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import DataError
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import ScoresFolder, make_receipt, read_receipt, verify_receipt
from deepfake.storage import local_path, location_of, write_json
from flows.operations import configure_environment

__all__ = ["run_receipt", "run_verify"]

_MARKS = {True: "ok  ", False: "FAIL", None: "note"}


def run_receipt(options: dict[str, Any]) -> None:
    """Write the receipt of one score."""
    receipt = make_receipt(ScoresFolder(location_of(options["folder"])), options["which"])
    told = receipt.model_dump(mode="json")
    if options["output"] is None:
        typer.echo(json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False))
        return
    written = write_json(Path(options["output"]), told)
    typer.echo(f"receipt of {receipt.uri}: {written}")


def run_verify(options: dict[str, Any]) -> None:
    """Print what a receipt is worth, a line a check, and leave with 1 where it is not verified."""
    data_root = local_path(options["data_root"])
    configure_environment(data_root)
    try:
        receipt = read_receipt(Path(options["receipt"]))
    except DataError as error:
        _end(f"{_MARKS[False]}  receipt: {error}", is_verified=False)
        return
    detector, how = resolve_detector(options["weights"], data_root=data_root)
    typer.echo(f"detector: {detector.name} ({how})", err=True)
    file = options["file"]
    is_verified = True
    for check in verify_receipt(
        receipt,
        detector=detector,
        bundle=load_bundle(detector.path),
        file=None if file is None else Path(file),
        cache=engine_cache_of(data_root),
    ):
        typer.echo(f"{_MARKS[check.is_passed]}  {check.name}: {check.finding}")
        is_verified = is_verified and check.is_passed is not False
    _end("", is_verified=is_verified)


def _end(line: str, *, is_verified: bool) -> None:
    if line:
        typer.echo(line)
    typer.echo("verified" if is_verified else "not verified")
    if not is_verified:
        raise typer.Exit(1)
