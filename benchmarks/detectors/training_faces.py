"""Lay out the folder that the packaged detector's networks learn from.

It holds `{train,val,test}/{real,fake}`: the pictures of `openforensics` as links, and in `train`
also the further ones of the same set that `more_reals.json` and `more_fakes.json` name. These come
out of a clone of the public repository that carries the whole set (`--snapshot`, a git directory;
no work tree is needed).

    python -m benchmarks.detectors.training_faces --snapshot CLONE/.git --output data/faces
"""

import argparse
import json
import subprocess
from pathlib import Path

from benchmarks import ROOT

_FOLDERS = {"real": "Dataset/Train/Real", "fake": "Dataset/Train/Fake"}


def main() -> None:
    """Write the folder, and print how many pictures each part of it has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--snapshot", type=Path, help="git directory with the whole set; without it: none"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--shared",
        type=Path,
        default=ROOT.parent / "shared" / "data",
        help="folder that holds `openforensics`",
    )
    arguments = parser.parse_args()
    for split in ("train", "val", "test"):
        for label in ("real", "fake"):
            folder = arguments.output / split / label
            _link(arguments.shared / "openforensics" / split / label, folder)
            if split == "train" and arguments.snapshot:
                _extract(
                    arguments.snapshot, arguments.shared / f"more_{label}s.json", folder, label
                )
            print(f"{split}/{label}: {sum(1 for _ in folder.iterdir()):,}")


def _link(source: Path, folder: Path) -> None:
    """Link each file of `source` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        link = folder / path.name
        if not link.exists():
            link.symlink_to(path.resolve())


def _extract(snapshot: Path, names: Path, folder: Path, label: str) -> None:
    """Write the named pictures of the snapshot's newest commit."""
    wanted = [name for name in json.loads(names.read_text()) if not (folder / name).exists()]
    requests = "".join(f"HEAD:{_FOLDERS[label]}/{name}\n" for name in wanted)
    reader = subprocess.Popen(
        ["git", "--git-dir", str(snapshot), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert reader.stdin is not None and reader.stdout is not None
    for name, request in zip(wanted, requests.splitlines(keepends=True), strict=True):
        reader.stdin.write(request.encode())
        reader.stdin.flush()
        header = reader.stdout.readline().decode().split()
        if header[-1] == "missing":
            raise FileNotFoundError(f"{snapshot} has no {request.strip()}")
        (folder / name).write_bytes(reader.stdout.read(int(header[2])))
        reader.stdout.read(1)
    reader.stdin.close()
    reader.wait()


if __name__ == "__main__":
    main()
