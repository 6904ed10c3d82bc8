"""Measure a detector of voices on the labelled files of a corpus."""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evaluation.voice.evaluate import (
        VoiceEvaluation,
        evaluate_voice,
        evaluate_voice_files,
        groups_of_files,
    )
    from deepfake.evaluation.voice.output import voice_metrics, write_voice_evaluation
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "VoiceEvaluation",
    "evaluate_voice",
    "evaluate_voice_files",
    "groups_of_files",
    "voice_metrics",
    "write_voice_evaluation",
]
