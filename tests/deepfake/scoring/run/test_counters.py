"""The numbers of a run as Prometheus reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deepfake.scoring import BatchTotals
from deepfake.scoring.drift import Drift, DriftedFeature
from deepfake.scoring.run.counters import RunCounters, write_metrics
from deepfake.types import Kind

_LABELS = {"output": '/out "a"\n\\b', "version": "0123456789abcdef", "detector": "d"}


def _account(**statuses: int) -> BatchTotals:
    return BatchTotals(
        seconds=3.0,
        extract_seconds=2.0,
        classify_seconds=0.5,
        statuses=statuses,
        verdicts={"real": statuses.get("ok", 0), "not_applicable": statuses.get("timeout", 0)},
        failed=[],
    )


@pytest.fixture
def counters() -> RunCounters:
    made = RunCounters(num_listed=10, num_probed=4, num_claimed=5, num_vanished=1, hashed_bytes=99)
    made.add(_account(ok=2, timeout=1))
    made.add(_account(ok=1))
    return made


def test_batches_add_up(counters: RunCounters) -> None:
    numbers = counters.numbers()
    assert (numbers["num_parts"], numbers["num_scored"]) == (2, 4)
    assert numbers["statuses"] == {"ok": 3, "timeout": 1}
    assert numbers["verdicts"] == {"real": 3, "not_applicable": 1}
    assert (numbers["extract_seconds"], numbers["classify_seconds"]) == (4.0, 1.0)
    assert numbers["seconds"] >= 0


def test_prometheus_reads_every_number(counters: RunCounters, tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    numbers = counters.numbers()
    write_metrics(
        path,
        labels=_LABELS,
        numbers=numbers,
        times={"began": 1000.0, "ended": 1060.5},
        files={"status": {"ok": 7, "empty": 1}, "verdict": {"real": 7, "not_applicable": 1}},
        num_waiting=2,
    )
    families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    assert all(f.documentation for f in families)
    samples = [sample for family in families for sample in family.samples]
    assert all(s.labels.items() >= _LABELS.items() for s in samples)
    values = {(s.name, s.labels.get("status") or s.labels.get("verdict")): s.value for s in samples}
    assert len(values) == len(samples), "the node exporter refuses a sample that is there twice"
    expected = {
        ("listed_files_total", None): 10,
        ("hashed_files_total", None): 4,
        ("hashed_bytes_total", None): 99,
        ("found_media_total", None): 5,
        ("scored_media_total", None): 4,
        ("vanished_files_total", None): 1,
        ("parts_total", None): 2,
        ("extract_seconds_total", None): 4,
        ("classify_seconds_total", None): 1,
        ("seconds_total", None): numbers["seconds"],
        ("media_by_status_total", "ok"): 3,
        ("media_by_status_total", "timeout"): 1,
        ("media_by_verdict_total", "real"): 3,
        ("media_by_verdict_total", "not_applicable"): 1,
        ("began_timestamp_seconds", None): 1000,
        ("ended_timestamp_seconds", None): 1060.5,
    }
    of_files = {
        ("deepfake_score_files_by_status", "ok"): 7,
        ("deepfake_score_files_by_status", "empty"): 1,
        ("deepfake_score_files_by_verdict", "real"): 7,
        ("deepfake_score_files_by_verdict", "not_applicable"): 1,
        ("deepfake_score_waiting_files", None): 2,
    }
    of_run = {(f"deepfake_score_run_{name}", by): v for (name, by), v in expected.items()}
    assert values == {**of_run, **of_files}
    assert list(tmp_path.iterdir()) == [path]


def test_drift_is_exported_by_kind_and_feature(counters: RunCounters, tmp_path: Path) -> None:
    common = {"chance": 0.1, "num_media": 90, "num_reference": 100}
    shapes = {"edges": (1.0,), "expected": (0.5, 0.5), "actual": (0.5, 0.5)}
    features = (
        DriftedFeature(Kind.VIDEO, "face_px", 0.6, level="moved", **common, **shapes),
        DriftedFeature(Kind.IMAGE, "logit", 0.02, level="stable", **common, **shapes),
        DriftedFeature(Kind.IMAGE, "novelty", None, level="too_few", **common, **shapes),
    )
    path = tmp_path / "metrics.prom"
    write_metrics(
        path,
        labels=_LABELS,
        numbers=counters.numbers(),
        times={"began": 1000.0},
        files={},
        num_waiting=0,
        drift=Drift(limit=0.25, prior=0.5, features=features),
    )
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    numbers = {
        (s.name.removeprefix("deepfake_score_"), s.labels.get("kind"), s.labels.get("feature")): (
            s.value
        )
        for family in families
        for s in family.samples
        if "drift" in s.name
    }
    assert numbers == {
        ("drift_index", "video", "face_px"): 0.6,
        ("drift_index", "image", "logit"): 0.02,
        ("drift_limit", None, None): 0.25,
        ("drifted_features", None, None): 1,
    }
