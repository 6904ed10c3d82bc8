"""Compare what we read of other projects' test files with Pillow and with the `ffmpeg` command.

    python -m benchmarks.other_projects_files pillow=PATH libheif=PATH --ffmpeg PATH \
        --details found.json

A project is a name and its git directory, which needs no work tree. Files are written to a
temporary folder one at a time, and none is kept. Printed is a Markdown table: per project how many
pictures are the same, different, refused by us and by both; `--details` has each file.

Of stills the first picture is compared, upright, with Pillow's; of clips the first, the middle and
the last frame with those that `ffmpeg` gives. Frames in HDR are compared in size only: ffmpeg does
not map tones unless asked.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pebble import ProcessPool
from PIL import Image, ImageOps

__all__ = ["Found", "blobs_of", "compare", "compare_pictures", "main", "table"]

_CAMERAS = {"dng", "nef", "cr2", "cr3", "arw", "raf", "orf", "rw2"}
STILLS = _CAMERAS | {
    *("jpg", "jpeg", "jfif", "mpo", "png", "apng", "gif", "webp", "bmp", "dib", "tif", "tiff"),
    *("heic", "heif", "hif", "avif", "jxl", "ico", "jp2", "j2k"),
}
CLIPS = {
    *("mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "m2ts", "mts", "flv", "3gp", "3g2"),
    *("mpg", "mpeg", "ogv", "wmv", "asf", "mxf", "ivf", "h264", "h265", "hevc", "mjpeg"),
    *("heics", "avifs"),
}
_MEAN_LEVELS = 3.0
"""Levels of 255 by which a picture may differ on average: decoders round chroma differently."""
_SECONDS = 120
_WRITTEN_EVERY = 25
"""Files after which the details are written, so that a run that is stopped leaves some."""
_NOTHING_LAZY = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """What came of one file.

    Attributes:
        path: In its repository.
        outcome: `same`, `different`, `refused by us`, `refused by both`, `read by us alone`,
            `hdr`, or `crashed`.
        detail: Our status or how much the pictures differ.
        theirs: What the other reader says where it refuses.
    """

    path: str
    outcome: str
    detail: str = ""
    theirs: str = ""


def blobs_of(git_dir: Path) -> list[tuple[str, str]]:
    """Return object and path of each picture and clip of a repository, each content once.

    Files that a snapshot lacks are left out.
    """
    listed = _git(git_dir, "ls-tree", "-r", "-z", "HEAD").decode("utf-8", "replace")
    seen: dict[str, str] = {}
    for line in filter(None, listed.split("\0")):
        head, path = line.split("\t", 1)
        _, kind, name = head.split()
        if kind == "blob" and path.rpartition(".")[2].lower() in STILLS | CLIPS:
            seen.setdefault(name, path)
    asked = "\n".join(seen).encode()
    answers = _git(git_dir, "cat-file", "--batch-check", data=asked).decode().splitlines()
    there = {answer.split()[0] for answer in answers if answer.split()[1] == "blob"}
    return sorted(
        ((name, path) for name, path in seen.items() if name in there), key=lambda b: b[1]
    )


def _git(git_dir: Path, *arguments: str, data: bytes | None = None) -> bytes:
    command = ["git", f"--git-dir={git_dir}", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=True, env=_NOTHING_LAZY)
    return done.stdout


def compare_pictures(ours: Pixels, theirs: Pixels) -> float | None:
    """Return by how many levels two pictures differ on average; None where their sizes differ.

    Args:
        ours: (H, W, 3) RGB.
        theirs: (H, W, 3) RGB, or (H, W, 4) RGBA, of which what can be seen through does not count.
    """
    if ours.shape[:2] != theirs.shape[:2]:
        return None
    apart = np.abs(ours.astype(np.int16) - theirs[:, :, :3])
    if theirs.shape[2] == 4:
        apart = apart[theirs[:, :, 3] == 255]
    return float(apart.mean()) if apart.size else 0.0


def compare(path: Path, name: str, ffmpeg: str) -> Found:
    """Compare what we read of one file with what others do; runs in a process of its own."""
    from deepfake.config import MediaLimits
    from deepfake.errors import MediaError
    from deepfake.media import probe_media, quiet_native_logs

    quiet_native_logs()
    problem, info = None, None
    try:
        info = probe_media(path, limits=MediaLimits())
        ours = _our_pictures(path, info)
    except MediaError as error:
        problem, ours = f"{error.status}: {error.message}", []
    is_still = name.rpartition(".")[2].lower() in STILLS
    try:
        theirs = _pillow(path, [index for index, _ in ours]) if is_still else []
        theirs = theirs if is_still else _ffmpeg(path, ours, ffmpeg)
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        return Found(
            name, "refused by both" if problem else "read by us alone", problem or "", said
        )
    if problem is not None:
        return Found(name, "refused by us", problem)
    if info is not None and info.codec == "raw":  # of which Pillow reads the thumbnail
        return Found(name, "read by us alone", "a raw photograph")
    return _judged(name, ours, theirs, is_hdr=_is_hdr(path, info))


def _judged(
    name: str, ours: list[tuple[int, Pixels]], theirs: list[Pixels], *, is_hdr: bool
) -> Found:
    if len(theirs) < len(ours):
        return Found(name, "different", f"{len(theirs)} of {len(ours)} frames are there")
    pairs = [(own, other) for (_, own), other in zip(ours, theirs, strict=False)]
    apart = [compare_pictures(own, other) for own, other in pairs]
    if None in apart:
        own, other = pairs[apart.index(None)]
        sizes = [f"{p.shape[1]} x {p.shape[0]}" for p in (own, other)]
        return Found(name, "different", f"size {sizes[0]} and {sizes[1]}")
    most = max((levels for levels in apart if levels is not None), default=0.0)
    if is_hdr:
        return Found(name, "hdr", f"{most:.1f} levels")
    return Found(name, "same" if most <= _MEAN_LEVELS else "different", f"{most:.1f} levels")


def _our_pictures(path: Path, info: Any) -> list[tuple[int, Pixels]]:
    from deepfake.config import MediaLimits
    from deepfake.errors import DecodeError
    from deepfake.media import open_video, read_image
    from deepfake.types import Kind

    limits = MediaLimits()
    if info.kind is Kind.IMAGE:
        return [(0, read_image(path, limits=limits).pixels)]
    count = info.num_frames
    with open_video(path, limits=limits) as video:
        wanted = sorted({0, count // 2, count - 1})
        found = [(frame.frame_index, frame.pixels) for frame in video.read(wanted)]
    if 2 * len(found) < len(wanted):
        raise DecodeError(f"only {len(found)} of {len(wanted)} frames could be decoded", path=path)
    return found


def _is_hdr(path: Path, info: Any) -> bool:
    import av

    from deepfake.media.heif_colour import primary_colours
    from deepfake.types import Kind

    if info.kind is Kind.IMAGE:
        colours = primary_colours(path) if info.codec == "heif" else None
        return colours is not None and colours[1] in (16, 18)
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return int(container.streams.video[0].codec_context.color_trc or 0) in (16, 18)
    except (av.error.FFmpegError, IndexError, AttributeError):
        return False


def _pillow(path: Path, indices: Sequence[int]) -> list[Pixels]:
    import pillow_heif
    import pillow_jxl  # noqa: F401 - importing it registers the format

    pillow_heif.register_heif_opener()
    with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
        # Pillow counts a picture that is shown in place of an animation as its first frame.
        first = int(bool(image.info.get("default_image")))
        found = []
        for index in indices or [0]:
            if getattr(image, "n_frames", 1) > 1:
                image.seek(first + index)
            found.append(_as_rgba(ImageOps.exif_transpose(image)))
        return found


def _as_rgba(image: Any) -> Pixels:
    if image.mode.startswith("I;16"):  # Pillow cuts such numbers off at 255
        grey = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
        return np.asarray(grey.convert("RGBA"), dtype=np.uint8)
    return np.asarray(image.convert("RGBA"), dtype=np.uint8)


def _ffmpeg(path: Path, ours: list[tuple[int, Pixels]], ffmpeg: str) -> list[Pixels]:
    """Return the frames of `ours` as the command gives them, scaled to the same size."""
    wanted = "+".join(f"eq(n\\,{index})" for index, _ in ours) or "eq(n\\,0)"
    filters = [f"select={wanted}"]
    if ours:
        height, width, _ = ours[0][1].shape
        # Pixels that are not square: a player stretches, the command does not.
        filters.append(f"scale={width}:{height}:flags=bicubic")
    command = [
        ffmpeg,
        "-v",
        "error",
        "-nostdin",
        "-protocol_whitelist",
        "file",
        "-i",
        f"file:{path}",
    ]
    command += ["-an", "-sn", "-dn", "-vf", ",".join(filters), "-fps_mode", "passthrough"]
    command += ["-threads", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
    if not done.stdout:
        raise ValueError(done.stderr.decode("utf-8", "replace").strip() or "no frame")
    if not ours:
        return []
    data = np.frombuffer(done.stdout, np.uint8)
    size = height * width * 3
    return list(data[: data.size // size * size].reshape(-1, height, width, 3))


def iter_found(git_dir: Path, *, ffmpeg: str) -> Iterator[Found]:
    """Compare all files of a repository; one that ends or holds up its process is `crashed`."""
    with tempfile.TemporaryDirectory() as folder, ProcessPool(max_workers=1) as pool:
        for name, path in blobs_of(git_dir):
            suffix = path.rpartition(".")[2].lower()
            file = Path(folder) / f"file.{suffix}"
            file.write_bytes(_git(git_dir, "cat-file", "blob", name))
            task = pool.schedule(compare, args=(file, path, ffmpeg), timeout=2 * _SECONDS)
            try:
                yield task.result()
            # Whatever else is raised is a fault of ours too, and of this file alone.
            except Exception as error:
                yield Found(path, "crashed", f"{type(error).__name__}: {error}")


_COLUMNS = ("same", "hdr", "different", "refused by us", "refused by both", "read by us alone")


def table(found: dict[str, list[Found]]) -> str:
    """Return the Markdown table of all projects."""
    lines = ["| project | files | " + " | ".join(_COLUMNS) + " | crashed |"]
    lines.append("|---" * (len(_COLUMNS) + 3) + "|")
    for project, files in found.items():
        counts = Counter(file.outcome for file in files)
        refused = Counter(f.detail.split(":")[0] for f in files if f.outcome == "refused by us")
        cells = [str(counts[column]) for column in (*_COLUMNS, "crashed")]
        if refused:
            by_status = ", ".join(f"{status} {n}" for status, n in refused.most_common())
            cells[3] = f"{cells[3]} ({by_status})"
        lines.append(f"| {project} | {len(files)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the projects that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("projects", nargs="+", metavar="NAME=GIT_DIR")
    parser.add_argument("--ffmpeg", default="ffmpeg", help="the command to compare clips with")
    parser.add_argument("--details", type=Path, help="a JSON file for what came of each file")
    options = parser.parse_args(arguments)
    found: dict[str, list[Found]] = {}
    for project in options.projects:
        name, _, place = project.partition("=")
        found[name] = []
        for number, file in enumerate(iter_found(Path(place), ffmpeg=options.ffmpeg)):
            found[name].append(file)
            if options.details is not None and number % _WRITTEN_EVERY == 0:
                _write_details(options.details, found)
        if options.details is not None:
            _write_details(options.details, found)
    print(table(found))


def _write_details(path: Path, found: dict[str, list[Found]]) -> None:
    listed = {project: [asdict(file) for file in files] for project, files in found.items()}
    path.write_text(json.dumps(listed, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
