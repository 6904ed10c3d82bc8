"""Fuzz the lists that come with corpora: CSV, metadata, pairs, videos."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.corpora.layouts import scan_corpus
    from deepfake.types import Status
from fuzz.harness import fuzz
from fuzz.seeds import chosen

__all__ = ["scan_mutated_list"]

_SEEDS = {
    "csv:list.csv": b"uri,label,group,method,split\na.mp4,real,g,,train\nb.mp4,fake,g,m,test\n",
    "dfdc:metadata.json": b'{"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}}',
    "faceforensics:splits/test.json": b'[["003", "000"]]',
    "celebdf:List_of_testing_videos.txt": b"1 Celeb-real/id0_0001.mp4\n0 Celeb-synthesis/a.mp4\n",
    "asvspoof:ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt": (
        b"LA_0069 LA_D_1047731 - - bonafide\nLA_0070 LA_D_1 - A01 spoof\n"
    ),
    "fakeavceleb:meta_data.csv": (
        b"source,target1,target2,method,category,type,race,gender,path,\n"
        b"id00076,-,-,rtvc,B,RealVideo-FakeAudio,African,men,00109_fake.mp4,a/b\n"
    ),
}
_VOICE = frozenset({"asvspoof", "fakeavceleb"})
_FILES = (
    "original_sequences/youtube/c23/videos/000.mp4",
    "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
    "Celeb-real/id0_0001.mp4",
    "Celeb-synthesis/id0_id1_0001.mp4",
    "YouTube-real/00001.mp4",
    "ASVspoof2019_LA_dev/flac/LA_D_1047731.flac",
    "RealVideo-FakeAudio/African/men/id00076/00109_fake.mp4",
    "a.mp4",
)


def scan_mutated_list(folder: Path, data: bytes) -> None:
    """Scan a corpus whose list is mutated."""
    place, content = chosen(tuple(_SEEDS), data)
    layout, name = place.split(":")
    for file in (*_FILES, name):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x")
    (folder / name).write_bytes(content)
    root = folder / name if layout == "csv" else folder
    modality = "voice" if layout in _VOICE else "faces"
    for row in scan_corpus(root, corpus="c", layout=layout, modality=modality):
        assert isinstance(row.status, Status)
        row.uri.encode()


def main() -> None:
    """Fuzz."""
    fuzz(
        "corpora",
        scan_mutated_list,
        {n.split(":")[0]: bytes([i]) + _SEEDS[n] for i, n in enumerate(_SEEDS)},
    )


if __name__ == "__main__":
    sys.exit(main())
