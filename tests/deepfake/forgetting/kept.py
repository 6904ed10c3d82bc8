"""Everything that is kept of a few media, made by the product's own writers but without decoding.

Each medium's crops, names and digest are texts of its own, so that a test can look for them in
every file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.config import CropConfig, ExtractConfig, SplitConfig, WorkerLimits
from deepfake.corpora.held_out import freeze_held_out_set
from deepfake.corpora.ingest import IngestPlan, build_snapshot, finish_manifest, plan_extraction
from deepfake.corpora.manifest import read_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.shards import Snapshot, crop_records, write_shard
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.evidence import CropEvidence, EvidenceRecord, evidence_folder, write_evidence
from deepfake.scoring import (
    ScoredMedium,
    ScoreOrigin,
    ScorerSetup,
    ScoresFolder,
    describe_setup,
    open_state,
    remember_output,
    score_origin,
    scores_version,
    write_listing,
    write_scores,
    write_setup,
)
from deepfake.scoring.parts import write_part as write_score_part
from deepfake.storage import DataRoot, Location, write_json
from deepfake.storage.event_log import event_log, log_event
from deepfake.types import Face, FaceCrop, Kind, Label, Outcome, Status
from tests.scores import make_score

__all__ = ["CONFIG", "Kept", "crop_bytes", "digest_of_bytes", "make_kept", "mentions"]

CONFIG = ExtractConfig(crop=CropConfig(size=64))
_NAMES = tuple(f"person-{i}.png" for i in range(6))
_COPY = "copy-of-1.png"
_LIMIT = 3


@dataclass(frozen=True)
class Kept:
    """What is kept, and where.

    Attributes:
        path: Of the test.
        root: The data root.
        output: The folder of scores.
        detector: The folder of a detector.
    """

    path: Path
    root: DataRoot
    output: ScoresFolder
    detector: Path

    @property
    def media(self) -> Path:
        """The folder of the media."""
        return self.path / "media"

    def uri(self, number: int) -> str:
        """Return the name of a medium."""
        return str(self.media / _NAMES[number])

    def media_id(self, number: int) -> str:
        """Return the digest of a medium."""
        return digest_of_bytes(Path(self.uri(number)).read_bytes())

    def rows(self) -> list[ManifestRow]:
        """Return what ingesting the folder would list and find now."""
        return [
            ManifestRow(
                str(path),
                "c",
                media_id=digest_of_bytes(path.read_bytes()),
                kind=Kind.IMAGE,
                size_bytes=path.stat().st_size,
                mtime_ns=path.stat().st_mtime_ns,
                label=Label.REAL if set(path.name) & set("135") else Label.FAKE,
                codec="png",
            )
            for path in sorted(self.media.iterdir())
        ]

    def plan(self) -> IngestPlan:
        """Return what ingesting the folder would still have to extract."""
        rows, _ = finish_manifest(self.root, "c", self.rows(), split=SplitConfig())
        return plan_extraction(self.root, "c", rows, config=CONFIG, max_files=_LIMIT)

    def ingest(self) -> tuple[Snapshot, bool]:
        """Do what ingesting does, crops being texts."""
        rows, notes = finish_manifest(self.root, "c", self.rows(), split=SplitConfig())
        plan = plan_extraction(self.root, "c", rows, config=CONFIG, max_files=_LIMIT)
        for batch in plan.unfinished:
            records, outcomes = [], []
            for media_id in batch.media_ids:
                crops = [_crop(media_id, track) for track in range(2)]
                records += crop_records(media_id, "image", crops, frame_wh=(64, 64))
                outcomes.append(
                    Outcome(plan.uris[media_id], media_id, Status.OK, num_faces=len(crops))
                )
            write_shard(
                self.root.corpus_shards("c"), key=batch.key, records=records, outcomes=outcomes
            )
        return build_snapshot(self.root, "c", rows, plan, config=CONFIG, notes=notes)

    def score(self, *, prior: float | None = None) -> str:
        """Do what scoring does, in batches of three, and return the version."""
        bundle = load_bundle(self.detector)
        setup = ScorerSetup(DetectorIdentity(self.detector, "tried"), prior=prior)
        version = scores_version(setup, bundle=bundle)
        origin = score_origin(setup, bundle=bundle)
        remember_output(self.root, self.output.path)
        with (
            self.output.lock(),
            event_log(self.output.log, run_id="r", mask=str),
            open_state(self.output.state, folder=str(self.media), version=version) as state,
        ):
            made_with = describe_setup(setup, bundle=bundle, limits=WorkerLimits())
            write_setup(self.output.version(version), made_with)
            known, unknown = state.record_listed(
                [replace(row, media_id=None) for row in self.rows()]
            )
            by_uri = {row.uri: row for row in self.rows()}
            probed = [by_uri[row.uri] for row in unknown]
            state.record_probed(probed, began_ns=2**62)
            claimed = state.claim([*known, *probed])
            for at in range(0, len(claimed), _LIMIT):
                media = [_scored(row, origin) for row in claimed[at : at + _LIMIT]]
                part = write_score_part(
                    self.output.parts(version),
                    key=f"{state.run:08x}{at:08x}",
                    run_number=state.run,
                    media=media,
                    made_with={
                        "environment": made_with.made_with.model_dump(mode="json"),
                        "worker_limits": WorkerLimits().model_dump(mode="json"),
                    },
                )
                state.commit(part)
                for row in claimed[at : at + _LIMIT]:
                    log_event("file failed", media_id=row.media_id, uri=row.uri, status="timeout")
            write_scores(self.output, state, setup=setup, bundle=bundle)
            write_listing(self.output.path, state)
            for row in self.rows():
                _explain(evidence_folder(self.output.version(version)), str(row.media_id))
        return version


def _crop(media_id: str, track: int) -> FaceCrop:
    points = ((8.0, 8.0),) * 5
    face = Face((0.0, 0.0, 32.0, 32.0), points, 0.9)
    return FaceCrop(crop_bytes(media_id, track), face, track, 0.0, 0, 1.0, 100.0)


def crop_bytes(media_id: str, track: int) -> bytes:
    """Return what stands for the encoded crop of a medium."""
    return f"pixels of {media_id} {track} ".encode() * 20


def _scored(row: ManifestRow, origin: ScoreOrigin) -> ScoredMedium:
    name = {"uri": row.uri, "media_id": row.media_id}
    return ScoredMedium(
        make_score(row.uri, row.media_id, kind=row.kind, logit=-1.0, **asdict(origin)),
        ({**name, "track_id": 0, "logit": -1.0},),
        ({**name, "track_id": 0, "frame_index": 0, "bbox_xyxy": [0.0, 0.0, 1.0, 1.0]},),
    )


def _explain(folder: Location, media_id: str) -> None:
    crop = CropEvidence(
        picture="crop-0.jpg", track_id=0, frame_index=0, pts_seconds=0.0, prob_fake=0.25
    )
    record = EvidenceRecord(media_id=media_id, made_for="x", kind="image", crops=(crop,))
    write_evidence(folder, record, {"crop-0.jpg": crop_bytes(media_id, 0)})


def make_kept(path: Path, detector: Path, *, place: Location | None = None) -> Kept:
    """Fill a data root and a folder of scores, with a content that has two names.

    Two snapshots, two versions of scores, evaluations, a held-out set, logs, results of tasks.

    Args:
        path: Where the media lie.
        detector: A detector's bundle.
        place: Where data root and scores lie; None for beside the media.
    """
    place = place or path
    kept = Kept(path, DataRoot(place / "data"), ScoresFolder(place / "out"), detector)
    kept.media.mkdir(parents=True)
    for name in _NAMES[:5]:
        (kept.media / name).write_text(f"the bytes of {name}")
    (kept.media / _COPY).write_text(f"the bytes of {_NAMES[1]}")
    kept.ingest()
    (kept.media / _NAMES[5]).write_text(f"the bytes of {_NAMES[5]}")
    snapshot, _ = kept.ingest()
    freeze_held_out_set(kept.root, "held-out", snapshot=snapshot, split="all")
    kept.score()
    kept.score(prior=0.1)
    _evaluate(kept)
    _run_tasks(kept)
    with event_log(kept.root.log("ingest-c"), run_id="r", mask=str):
        for row in kept.rows():
            log_event("file failed", media_id=row.media_id, uri=row.uri, status="timeout")
    return kept


def _evaluate(kept: Kept) -> None:
    folder = kept.root.evaluations / "run"
    folder.mkdir(parents=True)
    rows = read_manifest(kept.root.manifest("c"))
    table = pd.DataFrame(
        {"uri": r.uri, "media_id": r.media_id, "group": r.group, "logit": 0.5} for r in rows
    )
    table.to_parquet(folder / "files.parquet")
    table.to_csv(folder / "files.csv", index=False)
    write_json(folder / "report.json", {"auc": 0.5, "worst": [r.uri for r in rows]})
    lines = [f"- {r.uri}: wrong\n" for r in rows]
    (folder / "summary.md").write_text("# Evaluation\n" + "".join(lines))


def _run_tasks(kept: Kept) -> None:
    storage = kept.root.prefect_home / "storage"
    for row in kept.rows():
        result = json.dumps([{"uri": row.uri}])
        path = storage / "deep" / Path(row.uri).name
        write_json(path, {"metadata": {}, "result": result})
        write_json(storage / f"id-{Path(row.uri).name}", {"result": f'["{row.media_id}"]'})


def digest_of_bytes(content: bytes) -> str:
    """Return the media_id of bytes."""
    return hashlib.sha256(content).hexdigest()


def mentions(folder: Path, *needles: str) -> list[str]:
    """Return the files below a folder that name any of these, inside tables and databases too."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(n in text for text in _texts(path) for n in needles)
    ]
    return [str(path.relative_to(folder)) for path in found]


def _texts(path: Path) -> Iterator[str]:
    yield path.name
    if path.suffix == ".parquet":
        yield json.dumps(pq.read_table(path).to_pylist(), default=str)
    elif path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            yield str(pa.ipc.open_file(source).read_all().to_pylist())
    elif path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as db:
            yield "\n".join(db.iterdump())
    # Whatever the format says, the bytes themselves are looked through too.
    yield path.read_bytes().decode("latin-1")
