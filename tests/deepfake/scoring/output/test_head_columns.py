"""Each head of a detector has its column in the frames table; an unknown column is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle, HeadSpec, load_bundle, save_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.models import create_model
from deepfake.errors import DataError
from deepfake.extract.extractor import ExtractRequest
from deepfake.media import write_image
from deepfake.scoring import FRAMES_SCHEMA, ScoredMedium, Scorer, ScorerSetup, ScoresFolder
from deepfake.scoring.output.folder import write_scores
from deepfake.scoring.parts import (
    Part,
    merge_parts,
    part_path,
    read_part_tables,
    rewrite_part,
    write_part,
)
from deepfake.scoring.schemas import TABLES, table_schemas
from deepfake.scoring.state.state import open_state
from deepfake.storage import sha256_of, to_uri
from deepfake.types import Kind
from tests.sample_data import face_close_up
from tests.untrained_detector import write_bundle

_KEY = "0123456789abcdef"
_HEADS = ("blended", "generated", "lips")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("detector")
    spec = load_bundle(write_bundle(folder / "begun", model="test_efficientnet", size=64)).spec
    heads = tuple(HeadSpec(name=name) for name in _HEADS)
    module = create_model("test_efficientnet", pretrained="none", input_size=64, num_heads=3).module
    spec = spec.model_copy(update={"heads": heads})
    return load_bundle(save_bundle(folder / "made", state_dict=module.state_dict(), spec=spec))


@pytest.fixture(scope="module")
def medium(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> ScoredMedium:
    photo = write_image(tmp_path_factory.mktemp("media") / "photo.png", face_close_up())
    scorer = Scorer(ScorerSetup(DetectorIdentity(bundle.path, "tried")))
    return scorer.score(ExtractRequest(to_uri(photo), sha256_of(photo)))


def _write(folder: Path, bundle: Bundle, media: list[ScoredMedium], key: str = _KEY) -> Part:
    schemas = table_schemas(bundle.spec)
    return write_part(folder, key=key, run_number=1, media=media, schemas=schemas)


def _frames(folder: Path, key: str) -> list[dict[str, Any]]:
    ((_, table),) = read_part_tables(folder, [key], "frames")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_further_head_has_a_column_in_the_frames_table(
    bundle: Bundle, medium: ScoredMedium, tmp_path: Path
) -> None:
    setup = ScorerSetup(DetectorIdentity(bundle.path, "tried"))
    output = ScoresFolder(tmp_path)
    row = ManifestRow(medium.score.uri, "media", size_bytes=9, mtime_ns=10**18)
    with open_state(tmp_path / "state.sqlite", folder="/", version="v") as state:
        state.record_listed([row])
        probed = replace(row, media_id=medium.score.media_id, kind=Kind.IMAGE)
        state.record_probed([probed], began_ns=2 * 10**18)
        state.commit(_write(output.parts("v"), bundle, [medium]))
        write_scores(output, state, setup=setup, bundle=bundle)
    table = pq.read_table(tmp_path / "frames.parquet")
    assert table.column_names == [*FRAMES_SCHEMA.names, "logit_lips"]
    (found,) = table.to_pylist()
    (said,) = medium.frames
    for name in _HEADS:
        assert found[f"logit_{name}"] == pytest.approx(said[f"logit_{name}"])


def test_merging_and_rewriting_keep_further_heads(
    bundle: Bundle, medium: ScoredMedium, tmp_path: Path
) -> None:
    other = replace(
        medium,
        score=replace(medium.score, media_id="other"),
        frames=tuple(frame | {"media_id": "other"} for frame in medium.frames),
    )
    parts = [
        _write(tmp_path, bundle, [medium], key="0" * 16),
        _write(tmp_path, bundle, [other], key="1" * 16),
    ]
    merged = merge_parts(tmp_path, parts, made_with={})
    both = [medium.frames[0]["logit_lips"]] * 2
    assert [f["logit_lips"] for f in _frames(tmp_path, merged.key)] == pytest.approx(both)
    left = rewrite_part(tmp_path, merged.key, without={"other"})
    assert left is not None
    (frame,) = _frames(tmp_path, left.key)
    assert frame["logit_lips"] == pytest.approx(both[0])


@pytest.mark.parametrize("table", ["frames", "tracks"])
def test_an_unknown_column_is_an_error(
    bundle: Bundle, medium: ScoredMedium, tmp_path: Path, table: str
) -> None:
    rows = getattr(medium, table)
    more = ({**rows[0], "mood": 1.0},)
    with pytest.raises(DataError, match="no column for mood"):
        _write(tmp_path, bundle, [replace(medium, **{table: more})])
    assert not list(tmp_path.iterdir())


def test_a_head_that_the_detector_does_not_have_is_an_error(
    medium: ScoredMedium, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no column for logit_lips"):
        write_part(tmp_path, key=_KEY, run_number=1, media=[medium], schemas=TABLES)


@pytest.mark.parametrize(
    "column", [pa.field("mood", pa.float32()), pa.field("logit_lips", pa.float64())]
)
def test_a_part_with_a_column_of_no_head_is_refused(tmp_path: Path, column: pa.Field) -> None:
    path = part_path(tmp_path, _KEY, "frames")
    schema = pa.schema([*FRAMES_SCHEMA, column], metadata=FRAMES_SCHEMA.metadata)
    pq.write_table(schema.empty_table(), path)
    with pytest.raises(DataError, match="not those of its schema"):
        list(read_part_tables(tmp_path, [_KEY], "frames"))
