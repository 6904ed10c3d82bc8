"""Choose the detector of a command, and print which it is before it is used."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from deepfake.cli.flow_runs import print_other_registry
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import ScorerSetup
from deepfake.storage import DataRoot, location_of

__all__ = ["choose_detector", "data_root_of", "print_sync_detector", "print_voice_detector"]


def choose_detector(
    weights: str | None, *, data_root: Path, console: Console
) -> tuple[DetectorIdentity, list[str]]:
    """Print which detector is used and the notes on reading its verdicts, and return both.

    Args:
        weights: The value of --weights; None if it was not given.
        data_root: The data root.
        console: Gets the lines.

    Raises:
        ModelError: There is no such detector.
    """
    print_other_registry(console, data_root)
    identity, how = resolve_detector(weights, data_root=data_root)
    console.print(f"detector: {identity.full_name} ({how})", style="dim", highlight=False)
    notes = load_bundle(identity.path).spec.reading_notes
    for note in notes:
        console.print(f"note: {note}", style="dim", highlight=False)
    return identity, notes


def print_voice_detector(setup: ScorerSetup, *, console: Console) -> list[str]:
    """Print which detector judges voices and the notes on it, and return these; none without one.

    Args:
        setup: Which detectors.
        console: Gets the lines.
    """
    bundle = setup.voice_bundle
    if setup.voice is None or bundle is None:
        return []
    console.print(f"detector of voices: {setup.voice.full_name}", style="dim", highlight=False)
    notes = [f"Of voices: {note}" for note in bundle.spec.reading_notes]
    for note in notes:
        console.print(f"note: {note}", style="dim", highlight=False)
    return notes


def print_sync_detector(setup: ScorerSetup, *, console: Console) -> list[str]:
    """Print which detector compares lips with sound and the notes on it, and return these.

    Args:
        setup: Which detectors.
        console: Gets the lines.
    """
    bundle = setup.sync_bundle
    if setup.sync is None or bundle is None:
        return []
    name = setup.sync.full_name
    console.print(f"detector of lips and sound: {name}", style="dim", highlight=False)
    notes = [f"Of lips: {note}" for note in bundle.spec.reading_notes]
    for note in notes:
        console.print(f"note: {note}", style="dim", highlight=False)
    return notes


def data_root_of(data_root: str) -> Path:
    """Return the data root on this machine; it need not exist."""
    return DataRoot(location_of(data_root)).here
