"""Convert high dynamic range (PQ and HLG) to sRGB, as players do for an ordinary screen.

Light is worked out in candela per square metre, reduced to 203 of them, the white of an ordinary
picture in HDR, along the curve of BT.2390, and converted from the wider primaries. The curve works
on the largest of the three colours, so hues stay.

FFmpeg's own filters need zscale, which PyAV does not bring. Its scaler, where it converts transfer
functions, makes pictures dark that declare the screen they were mastered on.

Source: ITU-R BT.2100-2, tables 4 and 5 (PQ, HLG); ITU-R BT.2390-10, 5.4.1 (curve); ITU-R BT.2408-5,
2.1 (reference white); ITU-R BT.2407-0, 2.2 (primaries); IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.media.frame_data import frame_data

__all__ = ["HLG", "PQ", "USUAL_PEAK", "is_hdr", "peak_of", "to_sdr"]

PQ = 16
HLG = 18
"""Transfer characteristics (ITU-T H.273, table 3)."""

_WHITE = 203.0
USUAL_PEAK = 1000.0
"""Light of the screens that most HDR is made on, and the one that HLG is defined for."""
_MOST_PEAK = 10_000.0
_STEPS = 4096
_BAND_ROWS = 32
"""Rows converted at once: they stay in the processor's cache, which halves the time."""

# ITU-R BT.2407-0: linear BT.2020 to linear BT.709.
_TO_BT709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
_LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], np.float32)  # of BT.2020
_BT2020 = 9

Floats = NDArray[np.float32]


def is_hdr(frame: Any) -> bool:
    """Return whether a decoded frame is in PQ or HLG."""
    return int(frame.color_trc or 0) in (PQ, HLG)


def peak_of(frame: Any) -> float:
    """Return the brightest light that a decoded frame declares, candela per square metre.

    It is that of the content if declared, else that of the screen it was mastered on, else 1000.
    """
    if int(frame.color_trc or 0) == HLG:
        return USUAL_PEAK
    light, screen = (
        frame_data(frame, name) for name in ("CONTENT_LIGHT_LEVEL", "MASTERING_DISPLAY_METADATA")
    )
    if light is not None and (content := int(np.frombuffer(light, np.uint32, 1)[0])):
        return _bounded(float(content))
    if screen is not None and len(screen) >= 80:
        # libavutil/mastering_display_metadata.h: nine fractions stand before the largest light.
        over, under = np.frombuffer(screen, np.int32, 2, offset=72).tolist()
        if over > 0 and under > 0:
            return _bounded(over / under)
    return USUAL_PEAK


def _bounded(peak: float) -> float:
    return min(max(peak, _WHITE), _MOST_PEAK)


def to_sdr(
    pixels: NDArray[np.uint16], *, transfer: int, primaries: int = _BT2020, peak: float
) -> NDArray[np.uint8]:
    """Return an HDR picture as sRGB.

    Args:
        pixels: (H, W, 3) RGB uint16, of which 65535 is the largest signal.
        transfer: `PQ` or `HLG`.
        primaries: Number of the colour primaries (ITU-T H.273, table 2); all but those of BT.2020
            are taken for BT.709's.
        peak: Brightest light in it, candela per square metre.
    """
    shown = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        shown[band] = _band_to_sdr(pixels[band], transfer, primaries, peak)
    return shown


def _band_to_sdr(
    pixels: NDArray[np.uint16], transfer: int, primaries: int, peak: float
) -> NDArray[np.uint8]:
    # (H, W, 3) float32, 1.0 is the peak
    light = _linear_table(transfer, peak)[pixels]
    if transfer == HLG:
        light *= _hlg_gain(cv2.transform(light, _LUMINANCE))[:, :, None]
    largest = np.minimum(light.max(axis=2), np.float32(1))
    light *= _curve_table(peak)[_steps(np.sqrt(largest))][:, :, None]
    if primaries == _BT2020:
        light = cv2.transform(light, _TO_BT709)
    np.clip(light, 0, 1, out=light)
    shown: NDArray[np.uint8] = _srgb_table()[_steps(np.sqrt(light))]
    return shown


def _steps(values: Floats) -> NDArray[np.uint16]:
    """Return the nearest of the steps of a table for values from 0 to 1."""
    return (values * np.float32(_STEPS - 1) + np.float32(0.5)).astype(np.uint16)


@lru_cache(maxsize=8)
def _linear_table(transfer: int, peak: float) -> Floats:
    """Return the light for each signal, (65536,): of the display for PQ, of the scene for HLG."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        display: Floats = (_pq_light(signal) / peak).astype(np.float32)
        return display
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    scene: Floats = light.astype(np.float32)
    return scene


def _hlg_gain(luminance: Floats) -> Floats:
    """Return what light of a scene is multiplied by for a display of 1000 (BT.2100, note 5e)."""
    gain: Floats = np.maximum(luminance, np.float32(1e-6)) ** np.float32(0.2)
    return gain


@lru_cache(maxsize=8)
def _curve_table(peak: float) -> Floats:
    """Return by what light is multiplied so that white of an ordinary picture is 1.0.

    The steps are those of the square root of the light over the peak.
    """
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * peak
    light[0] = light[1] / 4  # instead of a division by nothing
    mapped = _pq_light(_bt2390(_pq_signal(light), top=_pq_signal(_WHITE), peak=_pq_signal(peak)))
    gain: Floats = (mapped / _WHITE * peak / light).astype(np.float32)
    return gain


def _bt2390(signal: Any, *, top: Any, peak: Any) -> Any:
    """Return signals that reach from 0 to `peak` reduced to `top` by a Hermite spline."""
    share, most = signal / peak, top / peak
    knee = 1.5 * most - 0.5
    if knee >= 1:
        return signal
    t = np.clip((share - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    spline += (3 * t**2 - 2 * t**3) * most
    return np.where(share < knee, share, spline) * peak


def _pq_light(signal: Any) -> Any:
    """Return the light of PQ signals from 0 to 1, candela per square metre."""
    m1, m2, c1, c2, c3 = _PQ
    root = np.power(signal, 1 / m2)
    return 10_000 * np.power(np.maximum(root - c1, 0) / (c2 - c3 * root), 1 / m1)


def _pq_signal(light: Any) -> Any:
    """Return the PQ signals of light in candela per square metre."""
    m1, m2, c1, c2, c3 = _PQ
    root = np.power(np.asarray(light) / 10_000, m1)
    return np.power((c1 + c2 * root) / (1 + c3 * root), m2)


_PQ = (2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32)


@lru_cache(maxsize=1)
def _srgb_table() -> NDArray[np.uint8]:
    """Return the sRGB value for each step of the square root of light."""
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * signal).astype(np.uint8)
