"""Frozen benchmarks: files of a corpus that decide on detectors, and are never learnt from.

A benchmark is a name for the labelled files of one snapshot. It never changes, nothing that belongs
to it is taken for training or calibrating, and each detector that was measured on it is noted:
the more often one looks, the less a difference means.
"""

from deepfake.corpora.held_out.frozen import (
    Benchmark,
    BenchmarkPart,
    freeze_benchmark,
    list_benchmarks,
    open_part,
    read_benchmark,
)
from deepfake.corpora.held_out.guard import benchmarks_in, refuse_benchmarks
from deepfake.corpora.held_out.usage import count_looks, note_look

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
