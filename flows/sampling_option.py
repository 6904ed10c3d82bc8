"""Which frames are scored, where the user wants others than the detector was trained on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deepfake.config import SamplingConfig
from flows.parameters import SamplingName, create_sampling

__all__ = ["FramesASecond", "choose_sampling"]

FramesASecond = Annotated[float, Field(gt=0)]


def choose_sampling(
    told: SamplingConfig,
    *,
    strategy: SamplingName | None,
    frames: int | None,
    fps: float | None,
) -> SamplingConfig | None:
    """Return the sampling that options ask for; None where they ask for nothing.

    Args:
        told: What the bundle says, for whatever is not asked for.
        strategy: Which frames.
        frames: How many, for strategies that count.
        fps: How many a second, for `fps`.

    Raises:
        ConfigError: A number that the strategy has no use for.

    Example:
        >>> told = SamplingConfig(num_frames=16)
        >>> choose_sampling(told, strategy="bursts", frames=None, fps=None).num_frames
        16
    """
    if strategy is None and frames is None and fps is None:
        return None
    wanted = create_sampling(strategy or told.strategy, frames=frames, fps=fps)
    given = {"num_frames": frames, "fps": fps}
    changes = {name: value for name, value in given.items() if value is not None}
    return told.model_copy(update={"strategy": wanted.strategy, **changes})
