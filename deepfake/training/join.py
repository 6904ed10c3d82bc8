"""Join detectors that look at the same crops into one, which has the networks of all.

Imports PyTorch, so import it late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import deepfake
from deepfake.config import FakeSource
from deepfake.detectors.bundles import (
    Bundle,
    DetectorSpec,
    HeadSpec,
    JoinedDetector,
    load_bundle,
    save_bundle,
)
from deepfake.detectors.inference.outputs import NOVELTY_PREFIX
from deepfake.detectors.models import joint_state
from deepfake.errors import ConfigError
from deepfake.types import PICTURE_KINDS
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.judgement import JudgementSettings, judgement_kind

__all__ = ["join_bundles"]

_SAME = ("faces", "sampling", "mean", "std", "prior")
"""What detectors must agree in, since they are shown the same faces."""

_HEAD_NAMES: dict[FakeSource, str] = {
    "self_blended": "blended",
    "labelled": "generated",
    "any": "fake",
}
"""What a head is called after the fakes that it learns from, as `two_headed` calls its own."""

_METHOD_SOURCES: dict[str, FakeSource] = {"sbi": "self_blended", "labels": "labelled"}
"""What the only head of a detector learned from, by the method of its training."""


def join_bundles(
    folders: Sequence[Path], output: Path, *, name: str, as_first: bool = False
) -> Path:
    """Write the bundle of a detector whose networks are those of others.

    It is not calibrated: how its heads are combined, and what its logits mean, is for `calibrate`.

    Args:
        folders: Two detectors or more.
        output: Where the bundle goes; must not exist.
        name: The detector's name.
        as_first: Show all networks the crops of the first detector, also those that were trained
            on crops that are cut otherwise.

    Raises:
        BundleError: A folder is not a bundle, or `output` exists.
        ConfigError: The detectors do not look at the same crops, or one is a joint one already.
    """
    bundles = [load_bundle(folder) for folder in folders]
    _check(bundles, as_first=as_first)
    states = [bundle.state_dict() for bundle in bundles]
    networks = [
        {k: v for k, v in state.items() if not k.startswith(NOVELTY_PREFIX)} for state in states
    ]
    novelty = _joint_novelty(states)
    spec = _joint_spec(bundles, name=name, has_novelty=bool(novelty))
    return save_bundle(output, state_dict={**joint_state(networks), **novelty}, spec=spec)


def _check(bundles: Sequence[Bundle], *, as_first: bool) -> None:
    if len(bundles) < 2:
        raise ConfigError("joining takes two detectors at least")
    first = bundles[0].spec
    for bundle in bundles:
        if bundle.spec.joined:
            raise ConfigError(
                f"{bundle.path} is a joint detector already", hint="Join those that it was made of."
            )
        differing = [k for k in _SAME if getattr(bundle.spec, k) != getattr(first, k)]
        if bundle.spec.crop != first.crop and not as_first:
            differing.append("crop")
        if differing:
            raise ConfigError(
                f"{bundles[0].path} and {bundle.path} differ in {', '.join(differing)}",
                hint="All are shown the same crops. Where only these were cut otherwise, "
                "--as-first shows all the crops of the first: measure what that costs.",
            )


def _joint_novelty(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors of `Novelty` over the features of all networks, none if one has none.

    Each network's features are whitened by its own projection, so the distance is the root mean
    square of the networks' own; the classes go together by their number.
    """
    projections = [state.get(f"{NOVELTY_PREFIX}projection") for state in states]
    means = [state.get(f"{NOVELTY_PREFIX}means") for state in states]
    own_projections = [tensor for tensor in projections if tensor is not None]
    own_means = [tensor for tensor in means if tensor is not None]
    classes = min((len(tensor) for tensor in own_means), default=0)
    if len(own_projections) < len(states) or len(own_means) < len(states) or not classes:
        return {}
    return {
        f"{NOVELTY_PREFIX}projection": torch.block_diag(  # type: ignore[no-untyped-call]
            *(t.float() for t in own_projections)
        ),
        f"{NOVELTY_PREFIX}means": torch.cat([t[:classes].float() for t in own_means], dim=1),
    }


def _joint_spec(bundles: Sequence[Bundle], *, name: str, has_novelty: bool) -> DetectorSpec:
    first, specs = bundles[0].spec, [bundle.spec for bundle in bundles]
    digests: dict[str, Any] = {k: v for spec in specs for k, v in spec.data_digests.items()}
    update: dict[str, Any] = {
        "name": name,
        "architecture": "+".join(spec.architecture for spec in specs),
        "input_size": max(spec.input_size for spec in specs),
        "judgement": {
            judgement_kind(kind): JudgementSettings(calibration=Calibration(prior=first.prior))
            for kind in PICTURE_KINDS
        },
        "heads": _heads(specs),
        "has_novelty": has_novelty,
        "data_digests": digests,
        "calibration_digests": {},
        "metrics": {},
        "notes": (),
        "scope": " ".join(dict.fromkeys(spec.scope for spec in specs if spec.scope)),
        "pretrained_source": "; ".join(dict.fromkeys(s.pretrained_source for s in specs)),
        "code_version": deepfake.__version__,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "joined": tuple(_described(bundle) for bundle in bundles),
    }
    # Through validation, which a copy would skip.
    return DetectorSpec.model_validate({**dict(first), **update})


def _heads(specs: Sequence[DetectorSpec]) -> tuple[HeadSpec, ...]:
    """Return the heads of all networks, each with a name of its own."""
    sources = [source for spec in specs for source in _sources(spec)]
    names = [_HEAD_NAMES[source] for source in sources]
    # The first of a name keeps it, the others get a number.
    numbers = [names[: at + 1].count(name) for at, name in enumerate(names)]
    unique = [
        n if number == 1 else f"{n}_{number}" for n, number in zip(names, numbers, strict=True)
    ]
    return tuple(
        HeadSpec(name=own, learns_from=source) for own, source in zip(unique, sources, strict=True)
    )


def _sources(spec: DetectorSpec) -> list[FakeSource]:
    if len(spec.heads) > 1:
        return [head.learns_from for head in spec.heads]
    return [_METHOD_SOURCES.get(spec.train_config.method, spec.heads[0].learns_from)]


def _described(bundle: Bundle) -> JoinedDetector:
    spec = bundle.spec
    return JoinedDetector(
        name=spec.name,
        digest=bundle.digest,
        architecture=spec.architecture,
        input_size=spec.input_size,
        num_heads=len(spec.heads),
        crop=spec.crop,
        data_digests=spec.data_digests,
        metrics=spec.metrics,
        notes=spec.notes_on_training,
        train_config=spec.train_config,
    )
