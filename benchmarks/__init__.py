"""Programs that measure: `speed` times code, `detectors` measures detectors, `pictures` draws."""

from pathlib import Path

__all__ = ["RESULTS", "ROOT"]

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

RESULTS = ROOT / "benchmarks" / "results"
"""The folder of the measured numbers, a JSON file a program."""
