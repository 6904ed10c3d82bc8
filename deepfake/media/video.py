"""Open a video: choose the decoder, index its frames, read them by index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.config import DecoderName, MediaLimits
from deepfake.errors import ConfigError, DecodeError, UnsupportedMediaError
from deepfake.media.decord_frames import DECORD_FORMATS, DecordFrames, has_decord
from deepfake.media.files import check_regular_file, read_head
from deepfake.media.headers import still_codec
from deepfake.media.open_file import OpenFile
from deepfake.media.orientation import UPRIGHT
from deepfake.media.packets import PacketIndex
from deepfake.media.pyav_frames import PyavFrames
from deepfake.media.stills import still_header
from deepfake.media.webp_frames import WebpFrames
from deepfake.types import Frame, Kind, MediaInfo

__all__ = ["VideoReader", "open_video"]

_TRUNCATED_BELOW = 0.9
"""Share of the declared duration below which a video counts as truncated."""


class _Frames(Protocol):
    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]: ...

    def close(self) -> None: ...


class VideoReader(OpenFile):
    """An open video; use it in a `with` block, or close it.

    Args:
        info: Its description.
        decoder: Name of the library that decodes.
        pts_seconds: Presentation times of the frames, (N,) float64.
        is_key: Whether decoding can start at a frame, (N,) bool.
        frames: Decodes the pixels.
        start_seconds: Time of the first frame, seconds after the start of the file.

    Attributes:
        info: Its description.
        decoder: The library in use, `pyav` or `decord`; `pillow` for animated WebP.
        pts_seconds: Presentation time of each frame, (N,) float64, ascending, 0.0 for the first.
        is_key: Whether decoding can start at a frame, (N,) bool. All False if the packets have
            no usable times, so that frames can only be counted.
        start_seconds: Time of the first frame, seconds after the start of the file: sound, or
            another picture, may begin before it.
    """

    def __init__(
        self,
        info: MediaInfo,
        *,
        decoder: str,
        pts_seconds: NDArray[np.float64],
        is_key: NDArray[np.bool_],
        frames: _Frames,
        start_seconds: float = 0.0,
    ) -> None:
        self.info = info
        self.decoder = decoder
        self.pts_seconds = pts_seconds
        self.is_key = is_key
        self.start_seconds = start_seconds
        self._frames = frames

    @property
    def is_truncated(self) -> bool:
        """Whether the content is over a tenth shorter than the header declares."""
        declared = self.info.duration_seconds_from_header
        if declared is None:
            return False
        return self.info.duration_seconds < _TRUNCATED_BELOW * declared

    def read(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames with the given indices; those that cannot be decoded are left out.

        Args:
            indices: Ascending, each once, 0 to `info.num_frames - 1`.

        Raises:
            ValueError: The indices are not ascending, or out of range.
            DecodeError: The stream cannot be decoded.
            MediaTooLargeError: A frame has more pixels than the limits allow.
        """
        wanted = [int(i) for i in indices]
        if any(b <= a for a, b in pairwise(wanted)):
            raise ValueError("indices must be ascending, each once")
        if wanted and not 0 <= wanted[0] <= wanted[-1] < self.info.num_frames:
            raise ValueError(
                f"indices must lie in 0..{self.info.num_frames - 1}, got {wanted[0]}..{wanted[-1]}"
            )
        return self._iter_frames(wanted)

    def _iter_frames(self, wanted: Sequence[int]) -> Iterator[Frame]:
        for index, pixels in self._frames.read(wanted):
            yield Frame(
                pixels=pixels, pts_seconds=float(self.pts_seconds[index]), frame_index=index
            )

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self._frames.close()


def open_video(path: Path, *, limits: MediaLimits, decoder: DecoderName = "pyav") -> VideoReader:
    """Open a video and index its frames.

    PyAV builds the index in any case, so the times do not depend on the decoder.

    Args:
        path: A video file, recognised by its content.
        limits: Videos that exceed these are rejected before decoding.
        decoder: `pyav`; `decord`, which then must be installed and agree with the index; or
            `auto`: decord where it is installed and agrees, else PyAV.

    Returns:
        The open video.

    Raises:
        ConfigError: decord is requested and not installed.
        EmptyMediaError: The file has no bytes.
        UnsupportedMediaError: Text, sound only, a playlist, no regular file.
        MediaTooLargeError: It is over a limit.
        UnreadableMediaError: Reading it is denied.
        ProbeError: The container is damaged.
        DecodeError: No frame can be decoded, or the requested decord cannot open it.
    """
    check_regular_file(path, limits=limits)
    if still_codec(read_head(path, num_bytes=16)) == "webp":
        return _open_webp(path, limits=limits, decoder=decoder)
    source = PyavFrames(path, limits=limits)
    try:
        info, start_seconds = _info_of(source), source.start_seconds
        by_decord = None
        if decoder != "pyav":
            by_decord = _try_decord(path, source=source, is_requested=decoder == "decord")
    except BaseException:
        source.close()
        raise
    if by_decord is not None:
        source.close()
    return VideoReader(
        info,
        decoder="pyav" if by_decord is None else "decord",
        pts_seconds=source.index.pts_seconds,
        is_key=source.index.is_key,
        frames=by_decord or source,
        start_seconds=start_seconds,
    )


def _open_webp(path: Path, *, limits: MediaLimits, decoder: DecoderName) -> VideoReader:
    if decoder == "decord":
        raise DecodeError("decord is not used for animated WebP", path=path)
    header = still_header(path)
    if header is None or not header.is_animated:
        raise UnsupportedMediaError("a picture, not a video", path=path)
    frames = WebpFrames(path, header=header, limits=limits)
    nowhere = np.zeros(frames.info.num_frames, np.bool_)
    return VideoReader(
        frames.info,
        decoder="pillow",
        pts_seconds=frames.pts_seconds,
        is_key=nowhere,
        frames=frames,
    )


def _try_decord(path: Path, *, source: PyavFrames, is_requested: bool) -> DecordFrames | None:
    if is_requested and not has_decord():
        raise ConfigError(
            "the decoder 'decord' is not installed, 'auto' and 'pyav' work without it",
            hint="Install decord (it has no wheel for ARM), or choose another decoder.",
        )
    reason = _why_not_decord(source)
    try:
        if reason is not None:
            raise DecodeError(f"decord is not used for {reason}", path=path)
        return DecordFrames(path, num_frames=source.index.num_frames, size=source.stored_size)
    except (DecodeError, ConfigError):
        if is_requested:
            raise
        return None


def _why_not_decord(source: PyavFrames) -> str | None:
    found = source.container.format.name
    if not DECORD_FORMATS & set(found.split(",")):
        return f"the format {found!r}, where its seeking is not exact"
    if source.orientation != UPRIGHT:
        return "videos that have to be turned"
    if source.size != source.stored_size:
        return "videos whose pixels are not square"
    if source.is_hdr:
        return "videos of high dynamic range"
    if not source.are_keys_true:
        return "videos whose key frames are marked wrongly"
    if not source.index.has_packet_times:
        return "streams without presentation times"
    if len(source.container.streams.video) > 1:
        return "files of several video streams"
    return None


def _info_of(source: PyavFrames) -> MediaInfo:
    stream, container, index = source.stream, source.container, source.index
    width, height = source.size
    fps = _fps_of(index, declared=stream.average_rate)
    return MediaInfo(
        kind=Kind.VIDEO,
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name,
        width=width,
        height=height,
        rotation=90 * source.orientation.turns,
        fps=fps,
        num_frames=index.num_frames,
        duration_seconds=_duration_of(index, fps=fps),
        duration_seconds_from_header=_declared_seconds(container, stream),
        has_audio=len(container.streams.audio) > 0,
    )


def _fps_of(index: PacketIndex, *, declared: Fraction | None) -> Fraction | None:
    """Return the declared frame rate unless the frames' times differ from it by over a tenth."""
    span = int(index.pts[-1] - index.pts[0]) * index.time_base if index.num_frames > 1 else 0
    if not span:
        return Fraction(declared) if declared else None
    counted = Fraction(index.num_frames - 1) / span
    if declared and abs(declared / counted - 1) < 0.1:
        return Fraction(declared)
    return counted.limit_denominator(1001)


def _duration_of(index: PacketIndex, *, fps: Fraction | None) -> float:
    gaps = np.diff(index.pts)
    last = index.last_duration
    if last <= 0 and gaps.size:
        last = int(np.median(gaps))
    elif last <= 0 and fps:
        last = round(1 / (fps * index.time_base))
    return float((int(index.pts[-1] - index.pts[0]) + last) * index.time_base)


def _declared_seconds(container: Any, stream: Any) -> float | None:
    """Return the duration that the header declares for the video stream."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration / 1_000_000)
    return None
