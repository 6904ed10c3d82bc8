"""Detect damaged frames.

A decoder conceals missing data by invented pixels and goes on; frames predicted from such a frame
inherit them. Invented pixels must not be scored.
"""

from __future__ import annotations

from typing import Any

__all__ = ["DamageWatch"]


class DamageWatch:
    """Follows a decoder from packet to packet and separates intact frames from damaged ones.

    Damage lasts until the next key frame. Errors before the first intact frame do not count: a
    stream may begin in the middle of a group of pictures.

    Args:
        is_marked: Whether packets of key frames are marked as such. If not, only a decoded frame
            tells, and frames that were fed meanwhile are lost with the damaged ones.
    """

    def __init__(self, *, is_marked: bool = True) -> None:
        self._is_marked = is_marked
        self._has_begun = False
        self._is_broken = False  # in decoding order
        self._broken_pts: set[int | None] = set()
        self._is_corrupt = False  # in presentation order

    def feed(self, packet: Any) -> None:
        """Register a packet before it is decoded."""
        if packet.is_keyframe and self._is_marked:
            self._is_broken = False
        if self._is_broken:
            self._broken_pts.add(packet.pts)

    def fail(self, packet: Any) -> None:
        """Register that a packet could not be decoded."""
        if self._has_begun and packet.size and not packet.is_disposable:
            self._is_broken = True

    def is_intact(self, frame: Any) -> bool:
        """Return whether a frame is intact; call it for each frame in presentation order."""
        if frame.key_frame:
            self._is_corrupt = False
            if not self._is_marked:
                self._is_broken = False
                self._broken_pts.discard(frame.pts)
        if frame.is_corrupt:
            self._is_corrupt = self._has_begun
            return False
        if self._is_corrupt or frame.pts in self._broken_pts:
            return False
        self._has_begun = True
        return True
