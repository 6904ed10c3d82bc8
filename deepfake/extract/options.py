"""Settings of sampling and extraction, as options ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from deepfake.config import (
    AnyExtractConfig,
    CropConfig,
    ExtractConfig,
    FaceConfig,
    Modality,
    SamplingConfig,
    SpeechConfig,
    SpeechExtractConfig,
    SyncExtractConfig,
)
from deepfake.config.options import IngestOptions
from deepfake.config.options.fields import SamplingName
from deepfake.errors import ConfigError

__all__ = ["choose_sampling", "create_sampling", "extract_config", "ingest_options_of"]

_COUNTED = ("uniform", "keyframes", "bursts", "runs")


def extract_config(options: IngestOptions) -> AnyExtractConfig:
    """Return the settings of extraction that `ingest` was asked for.

    Raises:
        ConfigError: A number of frames that the sampling has no use for, or an option of another
            modality.
    """
    if options.modality == "voice":
        return _speech_config(options)
    if options.modality == "sync":
        return _sync_config(options)
    return ExtractConfig(
        sampling=create_sampling(
            options.sampling,
            frames=options.frames,
            fps=options.fps,
            run_seconds=options.run_seconds,
        ),
        faces=_faces(options.min_face),
        crop=CropConfig(
            size=options.face_size,
            margin=options.margin,
            codec=options.codec,
            edge=options.edge,
        ),
        limits=options.media_limits,
    )


_CROP_OPTIONS = (
    *("sampling", "frames", "fps", "run_seconds", "face_size", "margin", "edge", "min_face"),
    *("codec", "decoder"),
)
_SPEECH_OPTIONS = ("window_seconds", "max_windows")


def _reject_options(options: IngestOptions, names: Sequence[str], *, of: Modality) -> None:
    for name in names:
        if getattr(options, name) != type(options).model_fields[name].default:
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"{option} goes with --modality {of}, not with {options.modality}")


def _sync_config(options: IngestOptions) -> SyncExtractConfig:
    _reject_options(options, _CROP_OPTIONS, of="faces")
    _reject_options(options, _SPEECH_OPTIONS, of="voice")
    return SyncExtractConfig(limits=options.media_limits)


def _speech_config(options: IngestOptions) -> SpeechExtractConfig:
    _reject_options(options, (*_CROP_OPTIONS, "device"), of="faces")
    speech = SpeechConfig(window_seconds=options.window_seconds, max_windows=options.max_windows)
    return SpeechExtractConfig(speech=speech, limits=options.media_limits)


def _faces(min_face: float) -> FaceConfig:
    """Return the settings of a smallest face; one that is asked for holds in any frame."""
    config = FaceConfig()
    if min_face == config.min_face_fraction:
        return config
    return FaceConfig(min_face_fraction=min_face, min_face_px=None)


def ingest_options_of(crop: CropConfig) -> str:
    """Return the options of `ingest` that make crops of some settings.

    Example:
        >>> ingest_options_of(CropConfig(edge="inside"))
        '--face-size 256 --margin 1.3 --codec jpeg --edge inside'
    """
    return (
        f"--face-size {crop.size} --margin {crop.margin:g} --codec {crop.codec} --edge {crop.edge}"
    )


def create_sampling(
    strategy: SamplingName,
    *,
    frames: int | None,
    fps: float | None,
    run_seconds: float | None = None,
) -> SamplingConfig:
    """Return the sampling that options ask for.

    Raises:
        ConfigError: A number that the strategy has no use for.
    """
    if frames is not None and strategy not in _COUNTED:
        raise ConfigError(f"frames goes with {', '.join(_COUNTED)} sampling, not with {strategy!r}")
    if fps is not None and strategy != "fps":
        raise ConfigError(f"fps goes with fps sampling, not with {strategy!r}")
    if run_seconds is not None and strategy != "runs":
        raise ConfigError(f"run_seconds goes with runs sampling, not with {strategy!r}")
    given = {"num_frames": frames, "fps": fps, "run_seconds": run_seconds}
    chosen = {name: value for name, value in given.items() if value is not None}
    return SamplingConfig.model_validate({"strategy": strategy, **chosen})


def choose_sampling(
    trained_with: SamplingConfig,
    *,
    strategy: SamplingName | None,
    frames: int | None,
    fps: float | None,
) -> SamplingConfig | None:
    """Return the sampling that options ask for; None where they ask for nothing.

    Args:
        trained_with: What the bundle says, for whatever is not asked for.
        strategy: Which frames.
        frames: How many, for strategies that count.
        fps: How many a second, for `fps`.

    Raises:
        ConfigError: A number that the strategy has no use for.

    Example:
        >>> trained_with = SamplingConfig(num_frames=16)
        >>> choose_sampling(trained_with, strategy="bursts", frames=None, fps=None).num_frames
        16
    """
    if strategy is None and frames is None and fps is None:
        return None
    wanted = create_sampling(strategy or trained_with.strategy, frames=frames, fps=fps)
    given = {"num_frames": frames, "fps": fps}
    changes = {name: value for name, value in given.items() if value is not None}
    return trained_with.model_copy(update={"strategy": wanted.strategy, **changes})
