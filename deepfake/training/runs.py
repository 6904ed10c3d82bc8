"""One training run, from snapshots to a bundle."""

from __future__ import annotations

import logging
import platform
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pandas as pd
import timm
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor, nn

import deepfake
from deepfake.bundles import DetectorSpec, save_bundle
from deepfake.config import TrainConfig
from deepfake.datasets import (
    InputSpec,
    evaluation_loader,
    file_codes,
    labels_of,
    predict_crops,
    training_loader,
)
from deepfake.errors import ConfigError, ModelError
from deepfake.inference import resolve_device
from deepfake.models import CreatedModel, create_model
from deepfake.shards import Snapshot
from deepfake.storage import read_json, write_json
from deepfake.training.callbacks import (
    BEST_CHECKPOINT,
    LAST_CHECKPOINT,
    MetricsFile,
    create_callbacks,
    drop_cut_line,
)
from deepfake.training.fitting import CalibrationResult, calibrate
from deepfake.training.module import DetectorModule
from deepfake.training.selection import Selection, has_both_classes, select_crops
from deepfake.types import Kind

__all__ = ["TrainResult", "train_detector"]

logger = logging.getLogger(__name__)

_PRIOR = 0.5
"""Both classes are drawn equally often, so that is what the logit holds for."""

_MAY_DIFFER = frozenset({"epochs", "patience"})
"""Settings that a resumed run may have otherwise than when it began."""
