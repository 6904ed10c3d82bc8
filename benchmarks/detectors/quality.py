"""Measure the packaged detector: every number of the model card, from MLflow runs.

    python -m benchmarks.detectors.quality --media ../shared/data --data-root data

ingests the development data where that is not done yet, evaluates the detector on each corpus,
measures its robustness, times a face, and writes `benchmarks/results/quality.json` and the tables
of `docs/model-card.md` and `README.md`. Takes about 15 minutes on two cores, most of it the
robustness.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import RESULTS, ROOT
from benchmarks.detectors.model_card_tables import fill_tables
from deepfake.corpora.layouts import scan_media
from deepfake.detectors.bundles import HeadSpec, load_bundle, save_bundle
from deepfake.detectors.inference import load_detector
from deepfake.detectors.models import create_model
from deepfake.registry.resolve import resolve_detector
from deepfake.storage import DataRoot, read_json, write_json, write_text
from deepfake.storage.environment import configure_environment
from flows.server.run import share_server

__all__ = ["main"]

OUTPUT = RESULTS / "quality.json"
PAGES = (ROOT / "docs" / "model-card.md", ROOT / "README.md")

_VIDEOS = {
    "ff": ("videos/FaceForensics++", "faceforensics"),
    "dfdc": ("videos/DFDC", "dfdc"),
    "celebdf": ("videos/Celeb-DF-v2", "celebdf"),
}
_PRESUMED_REAL = ("talking-heads", "videos/talking-heads")
_STILLS = ("openforensics", "openforensics")
_SWEEP_FILES = 400
_TARGETED = (("jpeg", 40.0), ("resize", 0.5))
"""Steps that are measured on every file."""
_TIMED_CROPS = 100
_TIMED_ROUNDS = 7


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the results."""
    options = _parse(arguments)
    configure_environment(options.data_root)
    detector, how = resolve_detector(options.weights, data_root=options.data_root)
    bundle = load_bundle(detector.path)
    print(f"detector: {detector.name} ({how}), digest {bundle.digest}")
    found: dict[str, Any] = {
        "detector": {"name": detector.name, "digest": bundle.digest},
        "calibration": bundle.spec.metrics,
        "card": _card_of(detector.path),
    }
    weights = str(detector.path)
    with share_server():
        corpora = _ingest_all(options.media, options.data_root)
        found["evaluations"] = {
            corpus: _evaluate(corpus, weights, options.data_root) for corpus in corpora
        }
        if not options.skip_sweep:
            found["robustness"] = _sweep(weights, options.data_root)
    found["cost"] = _cost(detector.path, data_root=options.data_root)
    write_json(OUTPUT, found)
    for page in PAGES:
        write_text(page, fill_tables(page.read_text(encoding="utf-8"), found))
    print(f"written: {OUTPUT}, {', '.join(str(page) for page in PAGES)}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.detectors.quality"
    )
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--data-root", type=Path, default=ROOT / "data")
    parser.add_argument("--weights", help="a bundle, instead of the packaged detector")
    parser.add_argument("--skip-sweep", action="store_true")
    return parser.parse_args(arguments)


def _card_of(folder: Path) -> dict[str, Any]:
    """Return what a bundle says of itself, without its weights."""
    kept = (
        "architecture",
        "input_size",
        "heads",
        "aggregation",
        "judgement",
        "notes",
        "scope",
        "licence",
        "pretrained_source",
        "seed",
    )
    spec = load_bundle(folder).spec.model_dump(mode="json")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {**{name: spec[name] for name in kept}, "bytes": size}


def _ingest_all(media: Path, data_root: Path) -> list[str]:
    """Ingest what is there and not ingested yet; what is ingested costs a look."""
    from flows.ingest import ingest

    corpora = []
    name, folder = _STILLS
    if (media / folder).is_dir():
        ingest(str(media / folder), name, data_root=str(data_root))
        corpora.append(name)
    for name, (folder, layout) in _VIDEOS.items():
        if (media / folder).is_dir():
            ingest(str(media / folder), name, layout=layout, data_root=str(data_root))
            corpora.append(name)
    name, folder = _PRESUMED_REAL
    if (media / folder).is_dir():
        table = data_root / "lists" / f"{name}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        rows = scan_media([media / folder])
        write_text(table, "uri,label\n" + "".join(f"{row.uri},real\n" for row in rows))
        ingest(str(table), name, layout="csv", data_root=str(data_root))
        corpora.append(name)
    return corpora


def _evaluate(corpus: str, weights: str, data_root: Path) -> dict[str, Any]:
    from flows.evaluate import evaluate

    split = "test" if corpus == _STILLS[0] else "all"
    summary = evaluate(corpus, weights=weights, data_root=str(data_root), split=split)
    report = read_json(Path(summary["folder"]) / "report.json")
    return {
        "split": summary["split"],
        "run_id": summary["run_id"],
        "notes": summary["notes"],
        "report": report["corpora"][corpus],
    }


def _sweep(weights: str, data_root: Path) -> dict[str, Any]:
    from flows.robustness import robustness

    measured = {"weights": weights, "data_root": str(data_root), "split": "test"}
    swept = robustness(_STILLS[0], **measured, max_files=_SWEEP_FILES)
    folder = Path(swept["folder"])
    figure = ROOT / "docs" / "images" / "robustness.png"
    figure.write_bytes((folder / "figures" / "robustness.png").read_bytes())
    whole = robustness(
        _STILLS[0],
        **measured,
        perturbations=[f"{name}:{value:g}" for name, value in _TARGETED],
    )
    return {
        "sweep": {"run_id": swept["run_id"], "conditions": swept["conditions"]},
        "every_file": {"run_id": whole["run_id"], "conditions": whole["conditions"]},
    }


def _cost(folder: Path, *, data_root: Path) -> dict[str, Any]:
    """Time a face by this detector, and by its first network with a single head."""
    bundle = load_bundle(folder)
    single = DataRoot(data_root).path / ".cache" / "single-head"
    first = bundle.spec.joined[0] if bundle.spec.joined else bundle.spec
    # What its weights are does not matter here.
    created = create_model(first.architecture, pretrained="none", input_size=first.input_size)
    state = created.module.state_dict()
    spec = bundle.spec.model_copy(
        update={
            "architecture": first.architecture,
            "input_size": first.input_size,
            "heads": (HeadSpec(),),
            "has_novelty": False,
            "joined": (),
        }
    )
    save_bundle(single, state_dict=state, spec=spec, overwrite=True)
    arms = {
        "packaged": load_detector(folder, device="cpu", num_threads=1),
        "single_head": load_detector(single, device="cpu", num_threads=1),
    }
    rng = np.random.default_rng(0)
    crops = list(rng.integers(0, 256, size=(_TIMED_CROPS, 256, 256, 3), dtype=np.uint8))
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(_TIMED_ROUNDS + 1):
        for name, arm in arms.items():
            began = time.process_time()
            arm.head_outputs(crops)
            seconds[name].append((time.process_time() - began) / len(crops))
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    ratios = [
        a / b for a, b in zip(seconds["packaged"][1:], seconds["single_head"][1:], strict=True)
    ]
    return {
        "cpu_ms_a_face": {name: 1000 * value for name, value in medians.items()},
        "ratio": {
            "median": statistics.median(ratios),
            "min": min(ratios),
            "max": max(ratios),
            "n": len(ratios),
        },
    }


if __name__ == "__main__":
    main()
