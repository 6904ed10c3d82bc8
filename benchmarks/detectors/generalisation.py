"""Measure a detector on kinds of fakes that it did not learn; detectors are chosen on these sets.

    python -m benchmarks.detectors.generalisation --data ../shared/data --weights packaged

scores each set as `deepfake score` does, without a server, and writes one table into an MLflow run,
`benchmarks/results/generalisation.json` and `docs/model-card.md`. Scores are kept under the data
root: a second run with the same detector only reads them, and a larger `--limit` scores what is
lacking. With `--sets` the rows of the other sets stay, if they are of the same detector.

A set may be told apart by how sharp or how large its faces are. So beside each AUC stands that of
sharpness and of size alone, and the AUC that is left where both classes are alike in them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import RESULTS, ROOT
from benchmarks.detectors.generalisation_equalised import FACE_PX, JPEG_QUALITY, equalised_files
from benchmarks.detectors.generalisation_rows import MeasuredRow, auc_of, files_of, measure_set
from benchmarks.detectors.generalisation_scores import score_rows
from benchmarks.detectors.generalisation_sets import SETS, MediaSet, list_set
from benchmarks.detectors.model_card_tables import fill_tables
from deepfake.compute.workers import close_workers
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import CorpusError, TrackingError
from deepfake.registry import find_training, log_evaluation, tracking_uri
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import ScoreJob, create_score_job
from deepfake.storage import engine_cache, new_run_name, read_json, write_json, write_text
from deepfake.storage.environment import configure_environment
from deepfake.types import Label

__all__ = ["main", "measure"]

_CARD = ROOT / "docs" / "model-card.md"
_EXPERIMENT = "deepfake"
_NAMES = tuple(media_set.name for media_set in SETS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the results."""
    options = _parse(arguments)
    configure_environment(options.data_root)
    detector, how = resolve_detector(options.weights, data_root=options.data_root)
    bundle = load_bundle(detector.path)
    print(f"detector: {detector.name} ({how}), digest {bundle.digest}", flush=True)
    job = create_score_job(
        detector,
        device=options.device,
        cache=engine_cache(),
        num_workers=options.workers,
    )
    try:
        sets = measure(
            options.data,
            job=job,
            state=options.data_root / "generalisation",
            limit=options.limit,
            names=options.sets,
        )
    finally:
        close_workers()
    measured: dict[str, Any] = {
        "detector": {"name": detector.name, "digest": bundle.digest},
        "equalised": {"face_px": FACE_PX, "jpeg_quality": JPEG_QUALITY},
        "sets": _beside_earlier(sets, path=options.output, digest=bundle.digest),
    }
    table = fill_tables("<!-- table: generalisation -->\n<!-- end -->", _found(measured))
    measured["run_id"] = _log(
        measured, tags=bundle.tags, markdown=table, uri=tracking_uri(options.data_root)
    )
    print(table)
    write_json(options.output, _found(measured))
    # As it is read back: JSON sorts the names of heads.
    found = read_json(options.output)
    write_text(options.card, fill_tables(options.card.read_text(encoding="utf-8"), found))
    print(f"written: {options.output}, {options.card}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m benchmarks.detectors.generalisation",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--weights", default="packaged", help="a bundle, or `packaged`")
    parser.add_argument("--limit", type=int, help="files of each set, about; all if not given")
    parser.add_argument("--sets", nargs="+", default=_NAMES, choices=_NAMES, metavar="SET")
    parser.add_argument("--data-root", type=Path, default=ROOT / "data")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for one a core")
    parser.add_argument("--output", type=Path, default=RESULTS / "generalisation.json")
    parser.add_argument("--card", type=Path, default=_CARD)
    return parser.parse_args(arguments)


def measure(
    data: Path,
    *,
    job: ScoreJob,
    state: Path,
    limit: int | None = None,
    names: Sequence[str] = _NAMES,
) -> list[dict[str, Any]]:
    """Score and measure each set that is there.

    Args:
        data: The folder of the sets.
        job: Which detector, and how it scores.
        state: What is kept between runs.
        limit: As for `limit_rows`; None for all files.
        names: Of the sets wanted.

    Raises:
        CorpusError: None of the sets is there.
    """
    records = []
    for media_set in (media_set for media_set in SETS if media_set.name in names):
        rows = list_set(media_set, data, limit=limit)
        if not rows:
            print(f"{media_set.name}: not there", flush=True)
            continue
        probed, found = score_rows(rows, name=media_set.name, job=job, state=state)
        files = files_of(probed, found)
        measured = measure_set(files, has_sources=media_set.has_sources)
        if media_set.is_equalised:
            equal = equalised_files(probed, found, name=media_set.name, job=job, state=state)
            measured = _with_equalised(measured, equal)
        records.append(_record(media_set, list(measured), limit=limit))
    if not records:
        raise CorpusError("none of the sets is here", path=data)
    return records


def _with_equalised(rows: Iterator[MeasuredRow], equal: pd.DataFrame) -> Iterator[MeasuredRow]:
    is_real = equal["label"] == Label.REAL
    for row in rows:
        compared = equal if row.part is None else equal[is_real | (equal["method"] == row.part)]
        if not row.n_fake or not row.n_real:
            yield row
            continue
        auc, sharpness = auc_of(compared, "logit"), auc_of(compared, "sharpness")
        yield replace(row, equalised_auc=auc, equalised_sharpness_auc=sharpness)


def _record(
    media_set: MediaSet, rows: Sequence[MeasuredRow], *, limit: int | None
) -> dict[str, Any]:
    records = [row.as_record() for row in rows]
    return {
        "name": media_set.name,
        "title": media_set.title,
        "limit": limit,
        "rows": records,
    }


def _found(measured: dict[str, Any]) -> dict[str, Any]:
    return {"generalisation": measured}


def _beside_earlier(
    sets: Sequence[dict[str, Any]], *, path: Path, digest: str
) -> list[dict[str, Any]]:
    """Return the sets measured now, and what an earlier run says of this detector on others."""
    earlier = read_json(path)["generalisation"] if path.is_file() else {}
    by_name: dict[str, dict[str, Any]] = {}
    if earlier.get("detector", {}).get("digest") == digest:
        by_name = {one["name"]: one for one in earlier["sets"]}
    by_name |= {one["name"]: one for one in sets}
    return [by_name[name] for name in _NAMES if name in by_name]


def _log(measured: dict[str, Any], *, tags: dict[str, str], markdown: str, uri: str) -> str | None:
    """Write an MLflow run below the one that trained the detector; None where no store answers."""
    summary = {
        "-".join(filter(None, (one["name"], row["part"]))): row
        for one in measured["sets"]
        for row in one["rows"]
    }
    try:
        return log_evaluation(
            {**measured, "summary": summary},
            experiment=_EXPERIMENT,
            run_name=new_run_name("generalisation"),
            params={
                "limit": {one["name"]: one["limit"] for one in measured["sets"]},
                **measured["equalised"],
                "split": "choosing",
            },
            tags={**tags, "stage": "evaluate", "corpus": "generalisation"},
            markdown=markdown,
            trained_by=find_training(
                measured["detector"]["digest"], experiment=_EXPERIMENT, uri=uri
            ),
            uri=uri,
        )
    except TrackingError as error:
        print(f"not in MLflow ({error})")
        return None


if __name__ == "__main__":
    main()
