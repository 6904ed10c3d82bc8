"""Probe a file: picture or video, codec, size, duration, by its content."""

from __future__ import annotations

from pathlib import Path

from deepfake.config import MediaLimits
from deepfake.media.stills import probe_still
from deepfake.media.video import open_video
from deepfake.types import MediaInfo

__all__ = ["probe_media"]


def probe_media(path: Path, *, limits: MediaLimits) -> MediaInfo:
    """Probe a file: find out whether it is a picture or a video, and describe it.

    The file name is ignored. Pictures are not decoded; of a video the packets are counted and the
    first frame is decoded. An animated GIF, PNG or WebP is a video.

    Args:
        path: The file; links are followed.
        limits: Larger media are rejected before decoding.

    Returns:
        The description.

    Raises:
        EmptyMediaError: The file has no bytes, or only zeros.
        UnsupportedMediaError: Text, sound only, a playlist, a folder, a special file.
        MediaTooLargeError: It has or declares more than `limits` allow.
        UnreadableMediaError: It does not exist, or reading it is denied.
        ProbeError: A known format whose header is damaged or cut off.
        DecodeError: A video of which no frame can be decoded.
    """
    still = probe_still(path, limits=limits)
    if still is not None:
        return still
    with open_video(path, limits=limits) as video:
        return video.info
