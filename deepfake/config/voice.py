"""Settings of the training on voices: how long, on what, and how windows of sound are changed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from deepfake.config.base import Settings

__all__ = ["SoundAugmentConfig", "VoiceTrainConfig"]

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


class VoiceTrainConfig(Settings):
    """A training on voices. With data digests and code version it determines the detector."""

    architecture: str = "lcnn"
    pretrained: str = Field(default="none", min_length=1)
    """Weights to begin with: `none` for new ones, `packaged`, or the folder of a detector."""
    epochs: int = Field(default=20, ge=1)
    windows_per_epoch: int = Field(default=8000, ge=2)
    """Windows that an epoch shows, half of them real, however many there are."""
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "constant", "late_linear", "half_linear"] = "cosine"
    """How the learning rate changes over all steps of the run, as `TrainConfig` has it."""
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    """Decay, a step, of the average of weights that is validated and kept; 0 keeps the last."""
    copy_share: float = Field(default=0.3, ge=0, le=1)
    """Copies by means of synthesis over all fakes of an epoch; they are made of its reals."""
    copy_kinds: tuple[str, ...] = (
        "bandwidth_extension",
        "griffin_lim",
        "lpc",
        "mel_griffin_lim",
        "phase_vocoder",
        "random_phase",
        "zero_insertion",
    )
    """How copies are made, each as often; `world` is one more where pyworld is installed."""
    crop_seconds: tuple[float, float] = (2.0, 4.0)
    """Training shows a part of each window; all parts of a batch have one length out of these."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a better validation AUC before training stops."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Training ends after so many minutes, wherever it is; for comparisons at equal cost."""
    max_cpu_minutes: float | None = Field(default=None, gt=0)
    """The same in CPU minutes of all cores together: on a busy machine a fairer budget."""
    seed: int = 0
    augment: SoundAugmentConfig = SoundAugmentConfig()

    @model_validator(mode="after")
    def _is_a_range_of_seconds(self) -> VoiceTrainConfig:
        low, high = self.crop_seconds
        if not 0.5 <= low <= high:
            raise ValueError(
                f"crop_seconds must be 0.5 or more and ascend, got {low:g} to {high:g}"
            )
        return self
