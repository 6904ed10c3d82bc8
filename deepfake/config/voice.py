"""Settings of the training on voices: how windows of sound are changed before they are shown."""

from __future__ import annotations

from pydantic import Field, model_validator

from deepfake.config.base import Settings

__all__ = ["SoundAugmentConfig"]

_RANGES = (
    "speed",
    "rt60_seconds",
    "direct_db",
    "snr_db",
    "low_pass_hz",
    "high_pass_hz",
    "level_db",
    "clip_share",
)


class SoundAugmentConfig(Settings):
    """Probabilities and ranges of the changes of a window of sound, in the order they are made.

    Reals and fakes are changed alike: a change that one class has more often is learnt in place of
    the fakes.
    """

    is_enabled: bool = True
    speed_p: float = Field(default=0.2, ge=0, le=1)
    speed: tuple[float, float] = (0.95, 1.05)
    """Factor; over 1 is faster and higher."""
    reverb_p: float = Field(default=0.25, ge=0, le=1)
    rt60_seconds: tuple[float, float] = (0.1, 0.9)
    """Time in which the sound of a room falls by 60 dB."""
    direct_db: tuple[float, float] = (-3.0, 15.0)
    """Power of the voice itself over that of the room's answer."""
    noise_p: float = Field(default=0.4, ge=0, le=1)
    snr_db: tuple[float, float] = (8.0, 45.0)
    """Power of the window over that of the noise."""
    equalise_p: float = Field(default=0.3, ge=0, le=1)
    tilt_db: float = Field(default=3.0, ge=0)
    """Largest slope of the spectrum, an octave."""
    peak_db: float = Field(default=8.0, ge=0)
    """Largest gain or loss of each of three bands."""
    low_pass_p: float = Field(default=0.2, ge=0, le=1)
    low_pass_hz: tuple[float, float] = (3000.0, 7500.0)
    high_pass_p: float = Field(default=0.2, ge=0, le=1)
    high_pass_hz: tuple[float, float] = (20.0, 300.0)
    telephone_p: float = Field(default=0.08, ge=0, le=1)
    """Probability of the band of a telephone, 300 to 3400 Hz, in place of the two above."""
    level_p: float = Field(default=0.7, ge=0, le=1)
    level_db: tuple[float, float] = (-20.0, 6.0)
    """Gain; what is then over full scale is clipped."""
    clip_p: float = Field(default=0.08, ge=0, le=1)
    clip_share: tuple[float, float] = (0.3, 0.95)
    """Level at which sound is clipped, over its peak."""
    codec_p: float = Field(default=0.4, ge=0, le=1)
    """Probability of a compression, by each codec equally."""

    @model_validator(mode="after")
    def _are_ranges(self) -> SoundAugmentConfig:
        for name in _RANGES:
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must ascend, got {low:g} to {high:g}")
        return self
