"""Encode and decode face crops, in the same way for shards and for scoring."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import CropConfig
from deepfake.errors import DecodeError, UnsupportedMediaError

__all__ = ["decode_crop", "encode_crop", "encode_shown"]


def encode_crop(pixels: NDArray[np.uint8], *, config: CropConfig) -> bytes:
    """Encode a crop as shards store it.

    Args:
        pixels: (H, W, 3) RGB uint8.
        config: `codec` and, for JPEG, `quality`. Chroma is never subsampled.

    Returns:
        JPEG or PNG bytes.

    Raises:
        UnsupportedMediaError: The pixels have another shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise UnsupportedMediaError(f"a crop is (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    suffix, options = _encoder_of(config)
    try:
        is_encoded, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    except cv2.error as error:
        raise UnsupportedMediaError(f"cannot encode a crop of {pixels.shape}") from error
    if not is_encoded:
        raise UnsupportedMediaError(f"cannot encode a crop of {pixels.shape}")
    return bytes(encoded.data)


def decode_crop(encoded: bytes | memoryview) -> NDArray[np.uint8]:
    """Decode a crop without copying its bytes.

    Args:
        encoded: From `encode_crop`, or a view of it in a shard.

    Returns:
        (H, W, 3) RGB uint8, C-contiguous.

    Raises:
        DecodeError: The bytes are not a complete picture.
    """
    buffer = np.frombuffer(encoded, np.uint8)
    try:
        bgr = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if buffer.size else None
        if bgr is None:
            raise DecodeError(f"{buffer.size} bytes are not a complete JPEG or PNG crop")
        rgb: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)
    except cv2.error as error:
        raise DecodeError(f"OpenCV cannot decode the crop ({error.err})") from error
    return rgb


def _encoder_of(config: CropConfig) -> tuple[str, list[int]]:
    if config.codec == "png":
        return ".png", []
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return ".jpg", [cv2.IMWRITE_JPEG_QUALITY, config.quality, *sampling]


def encode_shown(picture: NDArray[np.uint8], *, quality: int = 82) -> bytes:
    """Encode a picture as a small JPEG for display, without metadata.

    Args:
        picture: Shape (H, W, 3), RGB.
        quality: Of JPEG, 1 to 100.

    Raises:
        DecodeError: OpenCV cannot encode it.
    """
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    is_encoded, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_encoded:
        raise DecodeError(f"a picture of {picture.shape} cannot be encoded")
    return bytes(encoded.tobytes())
