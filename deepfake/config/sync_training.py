"""Settings of the training on lips and sound: how long, on what, and how both are changed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from deepfake.config.base import Settings
from deepfake.config.voice import SoundAugmentConfig

__all__ = ["MouthAugmentConfig", "SyncTrainConfig"]


class MouthAugmentConfig(Settings):
    """Ranges of the changes of a run's mouths; all pictures of a run are changed alike."""

    is_enabled: bool = True
    shift: float = Field(default=0.08, ge=0, lt=0.5)
    """Largest shift of the square, over its side."""
    scale: tuple[float, float] = (0.85, 1.2)
    """Factor of the size of the mouth in its square."""
    stretch: float = Field(default=0.08, ge=0, lt=0.5)
    """Largest change of height over width."""
    rotation_degrees: float = Field(default=10.0, ge=0, le=90)
    flip_p: float = Field(default=0.5, ge=0, le=1)
    """Probability of left for right."""
    contrast: tuple[float, float] = (0.6, 1.6)
    brightness: float = Field(default=40.0, ge=0)
    """Largest change, of 255 grey levels."""
    gamma: tuple[float, float] = (0.7, 1.5)
    blur_p: float = Field(default=0.3, ge=0, le=1)
    blur_px: tuple[float, float] = (0.4, 1.6)
    """Standard deviation."""
    low_resolution_p: float = Field(default=0.3, ge=0, le=1)
    """Probability of being made smaller and larger again."""
    resolution_px: tuple[int, int] = (20, 56)
    """Side that pictures are made smaller to."""
    jpeg_p: float = Field(default=0.3, ge=0, le=1)
    jpeg_quality: tuple[int, int] = (25, 90)
    noise_p: float = Field(default=0.3, ge=0, le=1)
    noise: tuple[float, float] = (1.0, 8.0)
    """Standard deviation, of 255 grey levels; of each picture anew."""

    @model_validator(mode="after")
    def _are_ranges(self) -> MouthAugmentConfig:
        for name in ("scale", "contrast", "gamma", "blur_px", "resolution_px", "jpeg_quality"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be positive and ascend, got {low:g} to {high:g}")
        return self


_SYNC_SOUND = SoundAugmentConfig(speed_p=0.0, codec_p=0.2)


class SyncTrainConfig(Settings):
    """A training on lips and sound. With data digests and code version it determines the detector.

    Real files alone are learnt from: sound that belongs to the lips, against sound of other moments
    and of other runs.
    """

    pretrained: str = Field(default="none", min_length=1)
    """Weights to begin with: `none` for new ones, `packaged`, or the folder of a detector."""
    epochs: int = Field(default=30, ge=1)
    runs_per_epoch: int = Field(default=1000, ge=2)
    """Runs that an epoch shows, however many there are."""
    batch_size: int = Field(default=24, ge=2)
    """Runs of a batch: the sound of each is foreign to the others."""
    windows_per_run: int = Field(default=8, ge=2)
    """Windows of five mouths that are drawn of a run."""
    min_gap_frames: int = Field(default=3, ge=1)
    """Two windows of a run lie at least so far apart; nearer sound is not called wrong."""
    inner_weight: float = Field(default=0.5, ge=0, le=1)
    """Share of the loss that knows the sound of other moments of the run alone."""
    temperature: float = Field(default=0.07, gt=0)
    """Cosines are divided by it."""
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "constant", "late_linear", "half_linear"] = "cosine"
    """How the learning rate changes over all steps of the run, as `TrainConfig` has it."""
    weight_average: float = Field(default=0.99, ge=0, lt=1)
    """Decay, a step, of the average of weights that is validated and kept; 0 keeps the last."""
    speed: tuple[float, float] = (0.9, 1.1)
    """Factor of the speed of pictures and sound alike."""
    patience: int = Field(default=30, ge=1)
    """Epochs without a better validation AUC before training stops."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Training ends after so many minutes, wherever it is; for comparisons at equal cost."""
    max_cpu_minutes: float | None = Field(default=None, gt=0)
    """The same in CPU minutes of all cores together: on a busy machine a fairer budget."""
    seed: int = 0
    mouths: MouthAugmentConfig = MouthAugmentConfig()
    sound: SoundAugmentConfig = _SYNC_SOUND
    """Changes of the sound; its speed is `speed`, so `speed_p` has to be 0."""

    @model_validator(mode="after")
    def _keeps_time(self) -> SyncTrainConfig:
        low, high = self.speed
        if not 0.5 <= low <= high <= 2.0:
            raise ValueError(f"speed must lie in 0.5..2 and ascend, got {low:g} to {high:g}")
        if self.sound.speed_p:
            raise ValueError("sound.speed_p must be 0: it would move the sound away from the lips")
        return self
