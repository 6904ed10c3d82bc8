"""Probe a file: picture, video or sound, codec, size, duration, by its content."""

from __future__ import annotations

from pathlib import Path

from deepfake.config import MediaLimits
from deepfake.errors import SoundOnlyError
from deepfake.media.sound import open_sound
from deepfake.media.stills import probe_still
from deepfake.media.video import open_video
from deepfake.types import Kind, MediaInfo

__all__ = ["probe_media"]


def probe_media(path: Path, *, limits: MediaLimits) -> MediaInfo:
    """Probe a file: find out whether it is a picture, a video or sound, and describe it.

    The file name is ignored. Pictures are not decoded; of a video the packets are counted and the
    first frame is decoded; of sound the packets are counted. An animated GIF, PNG or WebP is a
    video.

    Args:
        path: The file; links are followed.
        limits: Larger media are rejected before decoding.

    Returns:
        The description.

    Raises:
        EmptyMediaError: The file has no bytes, or only zeros.
        UnsupportedMediaError: Text, a playlist, a folder, a special file.
        MediaTooLargeError: It has or declares more than `limits` allow.
        UnreadableMediaError: It does not exist, or reading it is denied.
        ProbeError: A known format whose header is damaged or cut off.
        DecodeError: A video of which no frame can be decoded.
    """
    still = probe_still(path, limits=limits)
    if still is not None:
        return still
    try:
        with open_video(path, limits=limits) as video:
            return video.info
    except SoundOnlyError:
        return _probe_sound(path, limits=limits)


def _probe_sound(path: Path, *, limits: MediaLimits) -> MediaInfo:
    reader = open_sound(path, limits=limits)
    if reader is None:
        raise SoundOnlyError("neither a picture nor sound that can be decoded", path=path)
    with reader:
        info = reader.info
        return MediaInfo(
            kind=Kind.AUDIO,
            codec=info.codec,
            container=info.container,
            width=None,
            height=None,
            num_frames=0,
            duration_seconds=reader.measure_seconds(),
            duration_seconds_from_header=info.duration_seconds_from_header,
            has_audio=True,
        )
