"""Fuzz the parts of a scoring run: their descriptions, with valid digests, and their tables."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.config import digest_of
    from deepfake.scoring.parts import find_parts, part_path, write_part
    from deepfake.scoring.schemas import TABLES
    from deepfake.scoring.scorer_settings import ScoredMedium
    from deepfake.storage import read_table
    from deepfake.types import Score, Status, Verdict
from fuzz.harness import fuzz
from fuzz.seeds import chosen, files_of, sha256, with_plain_tables

__all__ = ["read_parts"]

_KEY = "0123456789abcdef"
_NAMES = (f"{_KEY}.json", *(f"{_KEY}.{table}.parquet" for table in TABLES))


@cache
def _whole() -> dict[str, bytes]:
    score = Score(
        uri="/m/a.mp4",
        media_id="a" * 64,
        status=Status.OK,
        verdict=Verdict.REAL,
        prob_fake=0.25,
        logit=1.5,
        model_name="none",
        model_digest="0" * 16,
        config_digest="0" * 16,
        prior=0.5,
    )
    track = {"uri": score.uri, "media_id": score.media_id, "track_id": 0, "logit": 1.5}
    frame = {**track, "bbox_xyxy": [1.0, 2.0, 3.0, 4.0]}
    medium = ScoredMedium(score, (track,), (frame,))
    return files_of(lambda folder: write_part(folder, key=_KEY, run_number=1, media=[medium]))


def read_parts(folder: Path, data: bytes) -> None:
    """Find and read parts of which one file is mutated."""
    name, content = chosen(_NAMES, data)
    files = {**_whole(), name: content}
    for own, own_content in files.items():
        (folder / own).write_bytes(own_content)
    (folder / f"{_KEY}.json").write_bytes(_signed(files))
    for part in find_parts(folder):
        assert part.key == _KEY
        for table, schema in TABLES.items():
            read_table(part_path(folder, part.key, table), schema=schema).to_pylist()


def _signed(files: dict[str, bytes]) -> bytes:
    """Return the part's description with digests that match its files, if it parses."""
    listed = files[f"{_KEY}.json"]
    try:
        listing = json.loads(listed)
        listing["tables"] |= {table: sha256(files[f"{_KEY}.{table}.parquet"]) for table in TABLES}
        listing["digest"] = digest_of(
            json.dumps({k: v for k, v in listing.items() if k != "digest"}, sort_keys=True)
        )
        return json.dumps(listing).encode()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return listed


def _seeds() -> dict[str, bytes]:
    every = with_plain_tables(_whole())
    plain = {f"plain-{n}": bytes([i]) + every[f"plain-{n}"] for i, n in enumerate(_NAMES) if i}
    return {n: bytes([i]) + every[n] for i, n in enumerate(_NAMES)} | plain


def main() -> None:
    """Fuzz."""
    fuzz("parts", read_parts, _seeds())


if __name__ == "__main__":
    sys.exit(main())
