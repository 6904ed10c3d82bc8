"""Detector networks: names, timm models with one logit, and where their weights come from."""

from deepfake.detectors.models.create import (
    DEFAULT_MODEL,
    MODEL_ALIASES,
    CreatedModel,
    create_model,
    freeze_stages,
    load_weights,
    resolve_model_name,
)
from deepfake.detectors.models.joint import JointNetwork, joint_state
from deepfake.detectors.models.pretrained import map_lite_state_dict

__all__ = [
    "DEFAULT_MODEL",
    "MODEL_ALIASES",
    "CreatedModel",
    "JointNetwork",
    "create_model",
    "freeze_stages",
    "joint_state",
    "load_weights",
    "map_lite_state_dict",
    "resolve_model_name",
]
