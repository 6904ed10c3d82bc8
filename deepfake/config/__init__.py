"""Settings of each stage, and below `options` what commands and flows can be asked."""

from deepfake.config.base import StoredRecord, first_problem
from deepfake.config.blend_settings import DenseBlendConfig, SelfBlendConfig
from deepfake.config.modality import Modality
from deepfake.config.settings import (
    AggregationConfig,
    AugmentConfig,
    CropConfig,
    CropEdge,
    DecoderName,
    ExtractConfig,
    FaceConfig,
    FakeSource,
    HeadConfig,
    HeadName,
    MediaLimits,
    Precision,
    SamplingConfig,
    SplitConfig,
    TrainConfig,
    TrainMethod,
    ViewConfig,
    WorkerLimits,
    digest_of,
    heads_of,
)
from deepfake.config.speech import SpeechConfig, SpeechExtractConfig
from deepfake.config.sync import AnyExtractConfig, MouthConfig, SyncExtractConfig
from deepfake.config.sync_training import MouthAugmentConfig, SyncTrainConfig
from deepfake.config.voice import SoundAugmentConfig, VoiceTrainConfig

__all__ = [
    "AggregationConfig",
    "AnyExtractConfig",
    "AugmentConfig",
    "CropConfig",
    "CropEdge",
    "DecoderName",
    "DenseBlendConfig",
    "ExtractConfig",
    "FaceConfig",
    "FakeSource",
    "HeadConfig",
    "HeadName",
    "MediaLimits",
    "Modality",
    "MouthAugmentConfig",
    "MouthConfig",
    "Precision",
    "SamplingConfig",
    "SelfBlendConfig",
    "SoundAugmentConfig",
    "SpeechConfig",
    "SpeechExtractConfig",
    "SplitConfig",
    "StoredRecord",
    "SyncExtractConfig",
    "SyncTrainConfig",
    "TrainConfig",
    "TrainMethod",
    "ViewConfig",
    "VoiceTrainConfig",
    "WorkerLimits",
    "digest_of",
    "first_problem",
    "heads_of",
]
