"""Settings of each stage: frozen, complete, and with a digest that names results.

A setting belongs here if and only if it can change a result. Nothing is filled in while data are
loaded, so the digest of a configuration is the same before and after a run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    StringConstraints,
    model_validator,
)

from deepfake.config.base import Settings
from deepfake.config.blend_settings import SelfBlendConfig

__all__ = [
    "AggregationConfig",
    "AugmentConfig",
    "CropConfig",
    "CropEdge",
    "DecoderName",
    "ExtractConfig",
    "FaceConfig",
    "FakeSource",
    "HeadConfig",
    "HeadName",
    "MediaLimits",
    "Precision",
    "SamplingConfig",
    "SplitConfig",
    "TrainConfig",
    "TrainMethod",
    "ViewConfig",
    "WorkerLimits",
    "digest_of",
    "heads_of",
]

DecoderName = Literal["auto", "decord", "pyav"]

CropEdge = Literal["mirror", "inside"]

Precision = Literal["f32", "bf16"]
"""What a network computes in on the CPU; on CUDA it is always half precision."""

TrainMethod = Literal["labels", "sbi", "mixed", "two_headed"]
"""What a detector learns fakes from: labelled fakes, self-blended reals, both in one answer, or
both with an answer each."""

HeadName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""Name of one output of a network, in its column and in a verdict's reason."""

FakeSource = Literal["any", "self_blended", "labelled"]
"""Which fakes a head learns from: all that training draws, self-blended reals, labelled files."""


class MediaLimits(Settings):
    """How large a medium may be before it is refused with `too_large`.

    They refuse and change nothing else, so no digest of crops or scores depends on them.
    """

    max_pixels: int = Field(default=100_000_000, gt=0)
    """Declared pixels of a picture or a frame; most cameras give 12 to 50 million."""
    max_bytes: int = Field(default=20 * 2**30, gt=0)
    max_frames: int = Field(default=5_000_000, gt=0)
    """Frames of a video; a day at 50 a second has 4.3 million."""


class WorkerLimits(Settings):
    """What one file may cost before its worker is killed."""

    timeout_seconds: float = Field(default=1800.0, gt=0)
    """Wall-clock time. Far more than the CPU seconds: a machine that is busy with other things, or
    a slow disk, must not make files fail."""
    cpu_seconds: float = Field(default=300.0, gt=0)
    """CPU seconds of all threads of the worker together."""
    memory_bytes: int = Field(default=4 * 2**30, gt=0)


_LIMITS_IN_DIGESTS = {"max_bytes": 20 * 2**30, "max_pixels": 100_000_000}
"""What stands for the limits, whatever they are: crops and scores made before they could be chosen
keep their names."""


class SamplingConfig(Settings):
    """Which frames of a video are looked at."""

    added_later = frozenset({"run_seconds"})

    strategy: Literal["uniform", "fps", "all", "keyframes", "bursts", "runs"] = "uniform"
    num_frames: int = Field(default=32, ge=1)
    """For `uniform`, `keyframes`, `bursts` and `runs`: frames asked for. For the others:
    ignored."""
    burst_length: int = Field(default=4, ge=1)
    """For `bursts`: frames of a run."""
    fps: float = Field(default=1.0, gt=0)
    """For `fps`: frames a second."""
    run_seconds: float = Field(default=0.64, gt=0)
    """For `runs`: length of a run of successive frames. There are as many runs as `num_frames`
    allows at the clip's own rate: two of 16 frames at 25 a second."""
    max_frames: int = Field(default=1000, ge=1)
    """For `fps` and `all`: never more than this, spread evenly."""


class FaceConfig(Settings):
    """What counts as a face.

    The three thresholds are those of facenet-pytorch's `MTCNN`.
    """

    added_later = frozenset({"min_face_px"})

    detector: Literal["mtcnn"] = "mtcnn"
    min_face_fraction: float = Field(default=0.08, gt=0, le=1)
    """The smallest face looked for, as a share of the frame's shorter side."""
    min_face_px: int | None = Field(default=64, ge=20)
    """A face of so many pixels is looked for in any frame, however small its share: about the
    smallest in a 720p frame. None looks for shares alone."""
    min_confidence: float = Field(default=0.9, ge=0, le=1)
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    max_faces: int = Field(default=50, ge=1)
    """The largest faces of a frame are kept."""
    is_guided: bool = True
    """Look for the faces of successive frames where they were, and everywhere in some frames."""


class CropConfig(Settings):
    """How a frame and a box become the model's input, before the model's own size."""

    added_later = frozenset({"edge"})

    size: int = Field(default=256, ge=32, le=1024)
    margin: float = Field(default=1.3, ge=1.0, le=3.0)
    """Side of the square over the longer side of the box."""
    codec: Literal["jpeg", "png"] = "jpeg"
    quality: int = Field(default=95, ge=1, le=100)
    """JPEG only; chroma is never subsampled."""
    edge: CropEdge = "mirror"
    """Where the square would reach over the edge of the frame: `mirror` fills it by reflection, as
    all crops were made before there was a choice; `inside` moves the square inwards, and puts a
    frame that is smaller than the square into a plain black edge. So nothing is shown twice."""


class ExtractConfig(Settings):
    """Everything between a file and its crops."""

    sampling: SamplingConfig = SamplingConfig()
    faces: FaceConfig = FaceConfig()
    crop: CropConfig = CropConfig()
    limits: MediaLimits = MediaLimits()
    max_crops: int = Field(default=2000, ge=1)
    """Crops of one file, at most: with more, only the largest faces of each frame are kept."""

    @property
    def crop_settings(self) -> dict[str, Any]:
        """What can change a crop, as JSON: everything but the limits."""
        return {**self.model_dump(mode="json"), "limits": _LIMITS_IN_DIGESTS}


class SplitConfig(Settings):
    """How groups are given to train, val and test."""

    strategy: Literal["auto", "official", "grouped"] = "auto"
    """`auto`: the corpus's own lists where it has them, else ours."""
    val_fraction: float = Field(default=0.15, ge=0, lt=1)
    test_fraction: float = Field(default=0.15, ge=0, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _leaves_train(self) -> SplitConfig:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction and test_fraction leave nothing to train on")
        return self


class AugmentConfig(Settings):
    """Probabilities and ranges of the training augmentations."""

    added_later = frozenset(
        {
            "black_edge_p",
            "black_edge",
            "downscale_kernels",
            "resize",
            "grey_p",
            "keep_small_p",
            "last_jpeg_p",
            "last_jpeg_quality",
        }
    )

    is_enabled: bool = True
    resize: Literal["first", "last"] = "first"
    """When a picture is brought to the size of the network's input. `last`: all else is done at the
    picture's own resolution, then it is resized by a random kernel."""
    flip_p: float = Field(default=0.5, ge=0, le=1)
    jpeg_p: float = Field(default=0.3, ge=0, le=1)
    jpeg_quality: tuple[int, int] = (40, 100)
    blur_p: float = Field(default=0.15, ge=0, le=1)
    blur_sigma: tuple[float, float] = (0.3, 1.5)
    noise_p: float = Field(default=0.15, ge=0, le=1)
    noise_sigma: float = Field(default=0.03, ge=0, le=1)
    """Sigma on a pixel scale of 0 to 1: the largest where the resize is last, else the only one."""
    downscale_p: float = Field(default=0.3, ge=0, le=1)
    downscale_range: tuple[float, float] = (0.35, 0.9)
    downscale_kernels: Literal["smooth", "several"] = "smooth"
    """What a downscaled crop is enlarged with: bicubic, or also bilinear and nearest."""
    keep_small_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that a downscaled picture is not enlarged before the last resize."""
    color_p: float = Field(default=0.3, ge=0, le=1)
    color_strength: float = Field(default=0.2, ge=0, le=1)
    """Largest change of brightness, contrast, saturation and, a tenth of it, hue; where the resize
    is last, of the channels' gain, to which an offset is added."""
    grey_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that a picture loses its colours; only where the resize is last."""
    h264_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that a crop is encoded by x264, as a video of one frame."""
    h264_crf: tuple[int, int] = (23, 40)
    erase_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that eyes, nose or mouth are covered."""
    crop_scale: tuple[float, float] = (0.8, 1.0)
    """Area of the random crop over the stored crop's. It is part of the resize that is first."""
    black_edge_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that a crop gets a plain black edge, as `inside` crops of close-ups have."""
    black_edge: tuple[float, float] = (0.05, 0.25)
    """Width of that edge on both sides together, over the crop's side."""
    last_jpeg_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that a picture is compressed once more after the last resize."""
    last_jpeg_quality: tuple[int, int] = (50, 96)
    match_resolution: bool = True
    """Bring both classes to one distribution of effective face resolution."""

    @model_validator(mode="after")
    def _goes_together(self) -> AugmentConfig:
        if self.resize == "last":
            if self.crop_scale != (1.0, 1.0):
                raise ValueError(
                    'resize = "last" takes no random crop, which `view` draws: crop_scale must be '
                    "1 to 1"
                )
            return self
        for name in ("keep_small_p", "grey_p", "last_jpeg_p"):
            if getattr(self, name):
                raise ValueError(f'{name} needs resize = "last"')
        return self


class ViewConfig(Settings):
    """Which square of a stored crop the network is shown, where crops are stored wider.

    In training it is drawn anew each time, so that tight and wide squares are met and all that
    follows is done at the picture's own resolution. In validation and in the detector it is the
    one that would be cut out of the frame with `margin`.
    """

    margin: float = Field(default=1.3, ge=1.0, le=3.0)
    """Margin of the crops that the detector takes: side of the square over the longer side of the
    box."""
    size: int = Field(default=256, ge=32, le=1024)
    """Side of the crops that the detector takes, pixels. It is what `ingest` makes by default."""
    sides: tuple[float, float] = (0.8, 2.2)
    """In training: side of the square over the longer side of the box, log-uniform."""
    min_px: int = Field(default=96, ge=32)
    """In training: the square's side in the picture's own pixels, at least, where the picture has
    as many."""
    jitter: float = Field(default=0.1, ge=0, le=0.5)
    """In training: how far the square's middle may be off on each axis, over the box's side."""

    @model_validator(mode="after")
    def _is_a_range(self) -> ViewConfig:
        low, high = self.sides
        if not 0.5 <= low <= high:
            raise ValueError(f"sides must be 0.5 or more and ascending, got {low:g} to {high:g}")
        return self

    @property
    def needed_margin(self) -> float:
        """Margin that crops must be stored with."""
        return max(self.margin, self.sides[1])

    def crop_of(self, stored: CropConfig) -> CropConfig:
        """Return the settings of the crops that a detector takes whose training was shown these.

        Args:
            stored: How the wider crops were stored.
        """
        return stored.model_copy(update={"margin": self.margin, "size": self.size})


class AggregationConfig(Settings):
    """How the logits of crops become one of a file."""

    track: Literal["mean", "quality"] = "mean"
    """How the logits of a track's crops are averaged: with equal weights, or weighted by the face's
    size, sharpness and confidence."""
    video: Literal["strongest_track", "any_track", "mean", "max"] = "strongest_track"
    """How the logits of a file's tracks become one. `any_track` takes the mean of the tracks' odds:
    the odds that one of the people shown is fake, whoever it is, so that more people do not cause
    more false alarms."""
    min_track_frames: int = Field(default=3, ge=1)
    """A shorter track counts only if there is no longer one."""
    min_face_share: float = Field(default=0.0, ge=0, le=1)
    """A track whose face is smaller than this share of the largest track's does not count.

    Source: 0.5 in the evaluation of Shiohara and Yamasaki, CVPR 2022."""


class TrainConfig(Settings):
    """A training run. With data digests and code version it determines the detector."""

    added_later = frozenset({"view", "map_weight", "warmup_steps", "checkpoint"})

    model: str = "tf_efficientnet_lite0"
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["cosine", "constant", "late_linear", "half_linear"] = "cosine"
    """How the learning rate changes over all steps of the run. `late_linear`: constant for three
    quarters, then falling to 0; `half_linear`: constant for a half, then falling to 0."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the learning rate rises from 0 to what the schedule says."""
    sharpness_rho: float = Field(default=0.0, ge=0)
    """Radius of sharpness-aware minimisation; 0 for none. It doubles the cost of a step."""
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    """Decay, a step, of the average of weights that is validated and kept; 0 keeps the last."""
    mixup_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that a pair of a labelled real and a labelled fake is mixed pixel by pixel."""
    mixup_alpha: float = Field(default=0.4, gt=0)
    """Both parameters of the beta distribution from which the share of the fake is drawn."""
    frozen_stages: int = Field(default=0, ge=0)
    """Stages of the network, its stem not counted, that keep the weights that they start with."""
    pretrained: str = "auto"
    """`auto`, `none`, `imagenet` (demanded), `packaged` (the detector that ships with the project),
    or the path of a detector or of a state dict."""
    seed: int = 0
    input_size: int | None = Field(default=None, ge=32, le=1024)
    """None: the model's own."""
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """`auto`: f32 on the CPU; on CUDA 16-mixed, and bf16-mixed with sharpness-aware minimisation,
    whose second loss a scaler of gradients does not compute."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a better validation AUC before training stops."""
    checkpoint: Literal["best", "last"] = "best"
    """Which epoch's weights are kept: those with the best validation AUC, or the last, where what
    is validated says little of what the detector is for: fakes of other kinds."""
    frames_per_video: int = Field(default=8, ge=1)
    """Crops drawn from one file in one epoch, at most."""
    max_crops_per_epoch: int | None = Field(default=None, ge=1)
    max_files: int | None = Field(default=None, ge=2)
    """Files of `train` that are learnt from, at most, in equal shares of both classes."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Training ends after so many minutes, wherever it is; for comparisons at equal cost."""
    max_cpu_minutes: float | None = Field(default=None, gt=0)
    """The same in CPU minutes of all cores together: on a busy machine a fairer budget."""
    method: TrainMethod = "labels"
    """`sbi` needs reals alone; `mixed` draws labelled fakes beside self-blended ones; `two_headed`
    does so too, and each of the two trains an output of its own."""
    sbi_share: float = Field(default=0.5, ge=0, le=1)
    """For `mixed` and `two_headed`: self-blended fakes over all fakes of an epoch."""
    map_weight: float = Field(default=0.0, ge=0)
    """Weight of the loss of a map of the blending boundary, which the network predicts at a stride
    of 16 while it is trained; the detector has no such map.

    Source: Li et al., Face X-ray for More General Face Forgery Detection, CVPR 2020, section 3."""
    view: ViewConfig | None = None
    """None: crops are shown as they are stored."""
    augment: AugmentConfig = AugmentConfig()
    self_blend: SelfBlendConfig = SelfBlendConfig()
    aggregation: AggregationConfig = AggregationConfig()

    @model_validator(mode="after")
    def _goes_together(self) -> TrainConfig:
        if self.mixup_p and self.method not in ("mixed", "two_headed"):
            raise ValueError(
                f"mixup_p mixes pairs of a labelled real and a labelled fake: the method "
                f"{self.method} has none, mixed and two_headed do"
            )
        if self.method == "two_headed" and self.sbi_share in (0.0, 1.0):
            raise ValueError(f"sbi_share {self.sbi_share:g} leaves one of two heads untrained")
        if self.sharpness_rho and self.precision == "16-mixed":
            raise ValueError("sharpness_rho needs the precision 32-true or bf16-mixed")
        if self.map_weight:
            self._check_map()
        return self

    def _check_map(self) -> None:
        if self.method == "labels":
            raise ValueError("map_weight needs masks of blends: the method labels blends nothing")
        if self.mixup_p:
            raise ValueError("map_weight does not go with mixup_p: a mixture has no boundary")
        if self.augment.is_enabled and self.augment.resize == "first":
            raise ValueError(
                'map_weight needs augment.resize = "last": the random crop of the resize that is '
                "first does not take masks along"
            )


class HeadConfig(Settings):
    """One output of a network, and which fakes it learns from."""

    name: HeadName = "fake"
    learns_from: FakeSource = "any"


_TWO_HEADS = (
    HeadConfig(name="blended", learns_from="self_blended"),
    HeadConfig(name="generated", learns_from="labelled"),
)


def heads_of(method: TrainMethod) -> tuple[HeadConfig, ...]:
    """Return the heads of a network that is trained by a method."""
    return _TWO_HEADS if method == "two_headed" else (HeadConfig(),)


def digest_of(*parts: BaseModel | Mapping[str, Any] | str | None) -> str:
    """Return a short name for settings: 16 hex digits of SHA-256 over their canonical JSON.

    Args:
        parts: Settings, JSON objects and strings, in a fixed order.

    Example:
        >>> digest_of(CropConfig()) == digest_of(CropConfig(size=256))
        True
        >>> digest_of(CropConfig()) == digest_of(CropConfig(size=224))
        False
    """
    plain = [p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
