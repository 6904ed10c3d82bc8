"""Names of networks: what a user may type, looked up without importing timm or PyTorch."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from deepfake.errors import UnknownModelError

__all__ = ["DEFAULT_MODEL", "MODEL_ALIASES", "reject_unknown_network", "unknown_network_error"]

DEFAULT_MODEL = "tf_efficientnet_lite0"

MODEL_ALIASES: Mapping[str, str] = {
    # timm's default weights for it are `a1_in1k`.
    "resnet50": "resnet50",
    # Chollet's network, the one that FaceForensics++ made the field's baseline. timm keeps it, with
    # weights, as `legacy_xception` and warns at the bare name; xception41, 65 and 71 are DeepLab's.
    "xception": "legacy_xception",
    # A family, not a model. B0 is its only member that a CPU trains in hours, and the one whose
    # cost is known here; B4, which papers use, is reached by its own name.
    "efficientnet": "efficientnet_b0",
}
"""What the user types -> the timm model that it means."""

_REGISTERED = re.compile(r"^@register_model\s+def (\w+)\(", re.MULTILINE)
_DEPRECATED = re.compile(r"^    '(\w+)': '[\w.]+',$", re.MULTILINE)
"""In calls of `register_model_deprecations`."""


def reject_unknown_network(name: str) -> None:
    """Reject what is neither an alias nor, by the text of timm's files, one of its models.

    Weights after a dot are not looked up.

    Raises:
        UnknownModelError: It is neither.

    Example:
        >>> reject_unknown_network("efficientnet")
        >>> reject_unknown_network("tf_efficientnet_lite0.in1k")
    """
    if name.lower() not in MODEL_ALIASES and name.partition(".")[0] not in _timm_names():
        raise unknown_network_error(name, sorted(_timm_names()))


def unknown_network_error(name: str, known: list[str]) -> UnknownModelError:
    """Return the error that names the closest of the known networks."""
    names = list(dict.fromkeys([*MODEL_ALIASES, *known]))
    close = difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.6)
    near = f"; close: {', '.join(close)}" if close else ""
    return UnknownModelError(
        f"no model {name!r}{near}",
        hint=f"Allowed: {', '.join(MODEL_ALIASES)}, {DEFAULT_MODEL} or any name of timm's.",
    )


@cache
def _timm_names() -> frozenset[str]:
    """Return the names that timm's files register; importing them all would take seconds."""
    spec = importlib.util.find_spec("timm")
    assert spec is not None and spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    names: set[str] = set()
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        names.update(_REGISTERED.findall(text))
        if "register_model_deprecations(" in text:
            names.update(_DEPRECATED.findall(text))
    return frozenset(names)
