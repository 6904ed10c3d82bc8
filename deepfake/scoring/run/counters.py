"""Count what a run does, and write the counters for Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deepfake.scoring.batch import BatchTotals
from deepfake.scoring.drift import Drift

__all__ = ["RunCounters", "write_metrics"]

_PREFIX = "deepfake_score"


@dataclass
class RunCounters:
    """What a run has done so far.

    Attributes:
        num_listed: Files listed.
        num_probed: Files hashed and probed.
        num_claimed: Media that are to be scored, those that were included.
        num_scored: Media scored.
        num_vanished: Files found to be gone.
        num_parts: Batches that were committed.
        hashed_bytes: Bytes of the files that were hashed.
        extract_seconds: Of reading, decoding, finding and cropping faces, summed over media.
        classify_seconds: Of everything after, summed over media.
        statuses: Media scored, by status.
        verdicts: Media scored, by verdict.
    """

    num_listed: int = 0
    num_probed: int = 0
    num_claimed: int = 0
    num_scored: int = 0
    num_vanished: int = 0
    num_parts: int = 0
    hashed_bytes: int = 0
    extract_seconds: float = 0.0
    classify_seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    _began: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def add(self, totals: BatchTotals) -> None:
        """Count a batch."""
        self.num_parts += 1
        self.num_scored += sum(totals.statuses.values())
        self.extract_seconds += totals.extract_seconds
        self.classify_seconds += totals.classify_seconds
        self.statuses.update(totals.statuses)
        self.verdicts.update(totals.verdicts)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    def numbers(self) -> dict[str, Any]:
        """Return all of it in JSON types."""
        return {
            "num_listed": self.num_listed,
            "num_probed": self.num_probed,
            "num_claimed": self.num_claimed,
            "num_scored": self.num_scored,
            "num_vanished": self.num_vanished,
            "num_parts": self.num_parts,
            "hashed_bytes": self.hashed_bytes,
            "extract_seconds": round(self.extract_seconds, 3),
            "classify_seconds": round(self.classify_seconds, 3),
            "seconds": round(self.seconds, 3),
            "statuses": dict(self.statuses),
            "verdicts": dict(self.verdicts),
        }


_COUNTERS = {
    "num_listed": ("run_listed_files", "Files listed by the run."),
    "num_probed": ("run_hashed_files", "Files hashed and probed by the run."),
    "hashed_bytes": ("run_hashed_bytes", "Bytes of those files."),
    "num_claimed": ("run_found_media", "Media that the run found to be scored."),
    "num_scored": ("run_scored_media", "Media that the run scored."),
    "num_vanished": ("run_vanished_files", "Files that the run found to be gone."),
    "num_parts": ("run_parts", "Batches that the run committed."),
    "extract_seconds": (
        "run_extract_seconds",
        "Seconds of reading, decoding, finding and cropping faces, summed over media.",
    ),
    "classify_seconds": (
        "run_classify_seconds",
        "Seconds of classifying crops and adding them up, summed over media.",
    ),
    "seconds": ("run_seconds", "Wall time of the run."),
}


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def write_metrics(
    path: Path,
    *,
    labels: Mapping[str, str],
    numbers: Mapping[str, Any],
    times: Mapping[str, float],
    files: Mapping[str, Mapping[str, int]],
    num_waiting: int,
    drift: Drift | None = None,
) -> None:
    """Write the numbers of a run in Prometheus's text format, whole or not at all.

    Args:
        path: Ends in `.prom`.
        labels: Of every sample, to distinguish several outputs.
        numbers: From `RunCounters.numbers`.
        times: `began` and, once it has ended, `ended`; seconds since 1970.
        files: How many stand in the tables, by `status` and by `verdict`.
        num_waiting: Files that are known and have no score yet.
        drift: How far the media lie from the detector's own; None where that is not known.
    """
    registry = CollectorRegistry(auto_describe=False)
    every = [
        *_of_run(labels, numbers),
        *_of_outcomes(labels, numbers, files),
        *_of_times(labels, times),
        _gauge("waiting_files", "Files without a score yet.", labels, num_waiting),
        *_of_drift(labels, drift),
    ]
    registry.register(_Families(every))
    write_to_textfile(str(path), registry)


def _of_run(labels: Mapping[str, str], numbers: Mapping[str, Any]) -> Iterator[Metric]:
    for key, (name, text) in _COUNTERS.items():
        counter = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=list(labels))
        counter.add_metric(list(labels.values()), float(numbers[key]))
        yield counter


def _of_outcomes(
    labels: Mapping[str, str],
    numbers: Mapping[str, Any],
    files: Mapping[str, Mapping[str, int]],
) -> Iterator[Metric]:
    names, values = list(labels), list(labels.values())
    for by, key in (("status", "statuses"), ("verdict", "verdicts")):
        text = f"Media that the run scored, by {by}."
        media = CounterMetricFamily(f"{_PREFIX}_run_media_by_{by}", text, labels=[*names, by])
        for value, count in sorted(numbers[key].items()):
            media.add_metric([*values, value], count)
        yield media
        text = f"Files in the tables, by {by}."
        gauge = GaugeMetricFamily(f"{_PREFIX}_files_by_{by}", text, labels=[*names, by])
        for value, count in sorted(files.get(by, {}).items()):
            gauge.add_metric([*values, value], count)
        yield gauge


def _of_times(labels: Mapping[str, str], times: Mapping[str, float]) -> Iterator[Metric]:
    yield _gauge(
        "run_began_timestamp_seconds",
        "When the run began, seconds since 1970.",
        labels,
        times["began"],
    )
    yield _gauge(
        "run_ended_timestamp_seconds",
        "When the run ended, seconds since 1970; 0 while it is at work.",
        labels,
        times.get("ended", 0.0),
    )


def _of_drift(labels: Mapping[str, str], drift: Drift | None) -> Iterator[Metric]:
    if drift is None:
        return
    index = GaugeMetricFamily(
        f"{_PREFIX}_drift_index",
        "Population stability index against the detector's own media, by kind and feature.",
        labels=[*labels, "kind", "feature"],
    )
    for found in drift.features:
        if found.index is not None:
            index.add_metric([*labels.values(), str(found.kind), found.name], found.index)
    yield index
    yield _gauge("drift_limit", "Over which a feature counts as moved.", labels, drift.limit)
    text = "Features over the limit, and over what chance explains."
    yield _gauge("drifted_features", text, labels, len(drift.moved))


def _gauge(name: str, text: str, labels: Mapping[str, str], value: float) -> Metric:
    gauge = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=list(labels))
    gauge.add_metric(list(labels.values()), value)
    return gauge
