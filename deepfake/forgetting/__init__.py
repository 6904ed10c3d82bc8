"""Forgetting: a face is biometric data, and whoever it belongs to may want it gone.

A medium is known by its content. `forget` takes its crops, scores, rows and log lines out of every
place that this program writes to, and says what it cannot reach.
"""

from deepfake.forgetting.forget import Forgetting, forget

__all__ = ["Forgetting", "forget"]
