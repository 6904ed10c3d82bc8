"""Names of voice networks, without importing PyTorch."""

from __future__ import annotations

from deepfake.errors import UnknownModelError

__all__ = ["VOICE_ARCHITECTURES", "reject_unknown_voice_network"]

VOICE_ARCHITECTURES: tuple[str, ...] = ("lcnn", "aasist")
"""The light CNN on spectrograms first: it costs a fiftieth of AASIST on samples."""


def reject_unknown_voice_network(architecture: str) -> None:
    """Reject a name that is not one of `VOICE_ARCHITECTURES`.

    Raises:
        UnknownModelError: It is none.

    Example:
        >>> reject_unknown_voice_network("lcnn")
    """
    if architecture not in VOICE_ARCHITECTURES:
        allowed = ", ".join(VOICE_ARCHITECTURES)
        raise UnknownModelError(f"no voice network {architecture!r}; allowed: {allowed}")
