"""Which decoded frames are whole.

A decoder fills what it could not read with something plausible and goes on, and every frame that
leans on such a one inherits it. Pixels made up so are no evidence of anything.
"""

from __future__ import annotations

from typing import Any

__all__ = ["DamageWatch"]


class DamageWatch:
    """Follows one run of a decoder and tells whole frames from those after some damage.

    Damage lasts until the next key frame. What a decoder reports before its first whole frame is
    no damage: a stream may begin in the middle of things.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._is_broken = False  # in the order of decoding
        self._broken_pts: set[int | None] = set()
        self._is_corrupt = False  # in the order of showing

    def feed(self, packet: Any) -> None:
        """Note a packet before it is decoded."""
        if packet.is_keyframe:
            self._is_broken = False
        if self._is_broken:
            self._broken_pts.add(packet.pts)

    def fail(self, packet: Any) -> None:
        """Note that a packet could not be decoded."""
        if self._has_begun and packet.size and not packet.is_disposable:
            self._is_broken = True

    def is_whole(self, frame: Any) -> bool:
        """Return whether a frame, given in the order shown, is free of damage."""
        if frame.key_frame:
            self._is_corrupt = False
        if frame.is_corrupt:
            self._is_corrupt = self._has_begun
            return False
        if self._is_corrupt or frame.pts in self._broken_pts:
            return False
        self._has_begun = True
        return True
