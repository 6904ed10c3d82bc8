"""Hash files and read their headers, in the media workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from deepfake.compute.workers import Failure, MediaWorkers
from deepfake.config import MediaLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DeepfakeError, MediaError
from deepfake.storage import medium_file, sampled_digest_of, sha256_of
from deepfake.types import Kind, MediaInfo, Status

__all__ = ["ProbeRequest", "ProbeResult", "probe_medium", "probe_rows", "reuse_probes"]


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """A file to be hashed and probed.

    Attributes:
        uri: Its path or store URI.
        limits: Size limits.
        hashing: `full` for all bytes; `sampled` for samples of large files.
    """

    uri: str
    limits: MediaLimits
    hashing: Literal["full", "sampled"] = "full"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of hashing and probing a file.

    Attributes:
        media_id: SHA-256; None if the bytes cannot be read, or are too many.
        info: Description from the header; None if it cannot be read.
        status: `ok`, or the kind of failure.
        error_type: Name of the error class.
        message: One sentence for a person.
    """

    media_id: str | None
    info: MediaInfo | None
    status: Status = Status.OK
    error_type: str | None = None
    message: str | None = None


def probe_medium(_: Any, request: ProbeRequest) -> ProbeResult:
    """Hash and probe one file; a failure is a status, not an exception."""
    # Only workers import decoders.
    from deepfake.media import probe_media

    media_id = None
    try:
        with medium_file(request.uri, max_bytes=request.limits.max_bytes) as path:
            if not path.exists():
                raise FileNotFoundError(request.uri)
            # Files that are too large are not hashed: that could take hours.
            if path.is_file() and path.stat().st_size <= request.limits.max_bytes:
                hash_file = sha256_of if request.hashing == "full" else sampled_digest_of
                media_id = hash_file(path)
            info = probe_media(path, limits=request.limits)
    except MediaError as error:
        return ProbeResult(media_id, None, error.status, type(error).__name__, error.message)
    except DeepfakeError as error:
        return ProbeResult(media_id, None, Status.ERROR, type(error).__name__, error.message)
    except FileNotFoundError:
        message = "the file has disappeared since it was listed"
        return ProbeResult(media_id, None, Status.VANISHED, "FileNotFoundError", message)
    except OSError as error:
        message = f"cannot be read ({error.strerror or error})"
        return ProbeResult(media_id, None, Status.UNREADABLE, type(error).__name__, message)
    return ProbeResult(media_id, info)


def reuse_probes(
    rows: Sequence[ManifestRow], *, before: Iterable[ManifestRow]
) -> tuple[list[ManifestRow], list[ManifestRow]]:
    """Reuse the probes of an earlier manifest; return these rows, and those left to be probed.

    A file counts as unchanged if its uri, size and time of change are the same. Files that could
    not be read are probed again.

    Args:
        rows: Scanned now.
        before: Rows of the earlier manifest.
    """
    earlier = {row.uri: row for row in before}
    known, unknown = [], []
    for row in rows:
        old = earlier.get(row.uri)
        if row.status is not Status.OK:
            known.append(row)
        elif old is not None and old.media_id is not None and _has_same_file(row, old):
            known.append(_with_probe(row, _probe_columns(old)))
        else:
            unknown.append(row)
    return known, unknown


def _has_same_file(row: ManifestRow, old: ManifestRow) -> bool:
    is_final = old.kind is not None or old.status in {
        Status.EMPTY,
        Status.UNSUPPORTED,
        Status.DECODE_ERROR,
        Status.TOO_LARGE,
    }
    return is_final and (row.size_bytes, row.mtime_ns) == (old.size_bytes, old.mtime_ns)


_PROBE_COLUMNS = (
    "media_id",
    "kind",
    "codec",
    "container",
    "width",
    "height",
    "rotation",
    "fps",
    "num_frames",
    "duration_seconds",
    "has_audio",
)
_FAILURE_COLUMNS = ("status", "error_type", "message")


def _probe_columns(old: ManifestRow) -> dict[str, Any]:
    columns = {name: getattr(old, name) for name in _PROBE_COLUMNS}
    if old.kind is None:
        # Errors of the bytes remain; errors of the corpus are found again.
        columns.update({name: getattr(old, name) for name in _FAILURE_COLUMNS})
    return columns


def _with_probe(row: ManifestRow, columns: Mapping[str, Any]) -> ManifestRow:
    return replace(row, **columns)


def probe_rows(
    rows: Sequence[ManifestRow],
    *,
    workers: MediaWorkers,
    limits: MediaLimits,
    hashing: Literal["full", "sampled"] = "full",
    on_done: Callable[[int], None] = lambda _: None,
) -> list[ManifestRow]:
    """Hash and probe files in the media workers.

    Args:
        rows: Scanned, with status `ok`.
        workers: The media workers.
        limits: Size limits of a medium.
        hashing: See `ProbeRequest`.
        on_done: Called with the number of files done, after each.

    Returns:
        The rows with the results, in their order.
    """
    requests = [ProbeRequest(row.uri, limits, hashing) for row in rows]
    done = []
    for row, result in zip(rows, workers.map(probe_medium, requests, is_last=False), strict=True):
        done.append(_with_result(row, result))
        on_done(len(done))
    return done


def _with_result(row: ManifestRow, result: ProbeResult | Failure) -> ManifestRow:
    if isinstance(result, Failure):
        return replace(
            row, status=result.status, error_type=result.error_type, message=result.message
        )
    described = replace(
        row,
        media_id=result.media_id,
        status=result.status,
        error_type=result.error_type,
        message=result.message,
    )
    return described if result.info is None else _with_info(described, result.info)


def _with_info(row: ManifestRow, info: MediaInfo) -> ManifestRow:
    is_video = info.kind is Kind.VIDEO
    return replace(
        row,
        kind=info.kind,
        codec=info.codec,
        container=info.container,
        width=info.width,
        height=info.height,
        rotation=info.rotation,
        fps=None if info.fps is None else float(info.fps),
        num_frames=info.num_frames,
        duration_seconds=info.duration_seconds if is_video else None,
        has_audio=info.has_audio,
    )
