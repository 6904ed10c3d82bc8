"""Fuzz crop shards, their index, and the descriptions of a snapshot."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.config import CropConfig, ExtractConfig
    from deepfake.corpora.shards import (
        CropReader,
        crop_records,
        list_shards,
        open_snapshot,
        read_shard,
        set_latest,
        shard_outcomes,
        write_shard,
        write_snapshot,
    )
    from deepfake.errors import DecodeError
    from deepfake.media import decode_crop, encode_crop
    from deepfake.storage import DataRoot
    from deepfake.types import Face, FaceCrop, Outcome, Status
import numpy as np

from fuzz.harness import fuzz
from fuzz.seeds import chosen, files_of, with_plain_tables

__all__ = ["read_snapshot"]

_KEY, _DIGEST = "0123456789abcdef", "fedcba9876543210"
_NAMES = (
    f"parts/{_KEY}.arrow",
    f"parts/{_KEY}.outcomes.parquet",
    f"{_DIGEST}/index.parquet",
    f"{_DIGEST}/outcomes.parquet",
    f"{_DIGEST}/snapshot.json",
    "latest",
)


def _write(corpus_dir: Path) -> None:
    media_id = "a" * 64
    points = ((3.0, 4.0), (7.0, 4.0), (5.0, 6.0), (4.0, 8.0), (6.0, 8.0))
    encoded = encode_crop(np.full((32, 32, 3), 99, np.uint8), config=CropConfig())
    face = Face((0.0, 0.0, 10.0, 10.0), points, 0.9)
    crops = [FaceCrop(encoded, face, 0, i / 10, i, 1.0, 90.0) for i in range(3)]
    shard = write_shard(
        corpus_dir,
        key=_KEY,
        records=crop_records(media_id, "video", crops, frame_wh=(64, 64)),
        outcomes=[Outcome("/m/a.mp4", media_id, Status.OK, num_faces=3, details={"kind": "video"})],
    )
    row = {"uri": "/m/a.mp4", "media_id": media_id, "corpus": "c", "label": "fake", "split": "val"}
    write_snapshot(
        corpus_dir,
        corpus="c",
        digest=_DIGEST,
        media=[row],
        outcomes=[{**row, "status": "ok"}],
        shards=[shard],
        description={"config": ExtractConfig().model_dump(mode="json"), "parts": [_KEY]},
    )
    set_latest(corpus_dir, _DIGEST)


@cache
def _whole() -> dict[str, bytes]:
    return files_of(_write)


def read_snapshot(folder: Path, data: bytes) -> None:
    """Read a corpus of which one file is mutated."""
    name, content = chosen(_NAMES, data)
    root = DataRoot(folder)
    corpus_dir = root.corpus_shards("c")
    for own, own_content in {**_whole(), name: content}.items():
        path = corpus_dir / own
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(own_content)
    assert set(list_shards(corpus_dir)) <= {_KEY}
    if name.startswith("parts/"):
        read_shard(corpus_dir, _KEY)
    if name == f"parts/{_KEY}.outcomes.parquet":
        shard_outcomes(corpus_dir, _KEY)
    snapshot = open_snapshot(root, "c")
    assert snapshot.folder.parent == corpus_dir
    if name.endswith("snapshot.json"):
        assert snapshot.config
    if name == f"{_DIGEST}/outcomes.parquet":
        snapshot.outcomes()
    if name.endswith(("index.parquet", ".arrow")):
        snapshot.missing_shards()
        _read_crops(
            snapshot.reader(), [tuple(r) for r in snapshot.index()[["shard", "row"]].to_numpy()]
        )


def _read_crops(reader: CropReader, places: list[tuple[str, int]]) -> None:
    for shard, row in places:
        try:
            decode_crop(reader.encoded(shard, row))
        except DecodeError:
            continue


def _seeds() -> dict[str, bytes]:
    every = with_plain_tables(_whole())
    return {
        f"{at}-{is_plain}": bytes([at]) + every[f"{'plain-' if is_plain else ''}{name}"]
        for at, name in enumerate(_NAMES)
        for is_plain in (False, True)
        if not is_plain or name.endswith(".parquet")
    }


def main() -> None:
    """Fuzz."""
    fuzz("shards", read_snapshot, _seeds())


if __name__ == "__main__":
    sys.exit(main())
