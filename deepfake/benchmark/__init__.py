"""Frozen benchmarks: files of a corpus that decide on detectors, and are never learnt from.

A benchmark is a name for the labelled files of one snapshot. It never changes, nothing that belongs
to it is taken for training or calibrating, and each detector that was measured on it is noted:
the more often one looks, the less a difference means.
"""

from deepfake.benchmark.frozen import (
    Benchmark,
    BenchmarkPart,
    freeze_benchmark,
    list_benchmarks,
    open_part,
    read_benchmark,
)
from deepfake.benchmark.looks import count_looks, note_look
from deepfake.benchmark.reserving import benchmarks_in, refuse_benchmarks

__all__ = [
    "Benchmark",
    "BenchmarkPart",
    "benchmarks_in",
    "count_looks",
    "freeze_benchmark",
    "list_benchmarks",
    "note_look",
    "open_part",
    "read_benchmark",
    "refuse_benchmarks",
]
