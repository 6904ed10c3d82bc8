"""Arms of this project: extraction and scoring, set up as the commands do it."""

from __future__ import annotations

from benchmarks.speed.arms import Arm, ArmName, ArmSetup
from benchmarks.speed.clips import Clip
from benchmarks.speed.timer import Work
from deepfake.config import ExtractConfig, SamplingConfig
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.extractor import Extractor, ExtractRequest, limit_threads
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.storage import sha256_of, to_uri
from deepfake.types import Status

__all__ = ["create_ours"]

_NO_ID = "0" * 64
_FINE = {str(Status.OK), str(Status.NO_FACE)}


def create_ours(name: ArmName, setup: ArmSetup) -> Arm:
    """Set up extraction or scoring; the arm's name says which, with which strategy and precision.

    Raises:
        RuntimeError: The processor does not compute in the precision.
    """
    limit_threads()
    step, strategy, *precision = name.split("_")
    sampling = SamplingConfig.model_validate({"strategy": strategy, "num_frames": setup.num_frames})
    if step == "extract":
        return _extract_arm(setup, sampling=sampling)
    if precision and not _has_bf16():
        raise RuntimeError("this processor does not compute in bf16")
    return _score_arm(setup, sampling=sampling, is_bf16=bool(precision))


def _extract_arm(setup: ArmSetup, *, sampling: SamplingConfig) -> Arm:
    spec = load_bundle(setup.bundle).spec
    config = ExtractConfig(sampling=sampling, faces=spec.faces, crop=spec.crop)
    extractor = Extractor(config, cache=setup.cache)

    def run(clip: Clip) -> Work:
        outcome = extractor.extract(_request(clip, setup)).outcome
        _check(str(outcome.status), outcome.message)
        return Work(frames=outcome.frames_read or 0, faces=outcome.num_faces or 0)

    return run


def _score_arm(setup: ArmSetup, *, sampling: SamplingConfig, is_bf16: bool) -> Arm:
    scorer = Scorer(
        ScorerSetup(
            DetectorIdentity(setup.bundle, "benchmark"),
            sampling=sampling,
            precision="bf16" if is_bf16 else "f32",
            cache=setup.cache,
        )
    )

    def run(clip: Clip) -> Work:
        score = scorer.score(_request(clip, setup)).score
        _check(str(score.status), score.message)
        return Work(frames=score.frames_read or 0, faces=score.num_faces or 0)

    return run


def _request(clip: Clip, setup: ArmSetup) -> ExtractRequest:
    media_id = sha256_of(clip.path) if setup.is_hashed else _NO_ID
    return ExtractRequest(to_uri(clip.path), media_id)


def _check(status: str, message: str | None) -> None:
    # A file that fails is cheap: its time must not stand among those of files that were read.
    if status not in _FINE:
        raise RuntimeError(f"{status}: {message}")


def _has_bf16() -> bool:
    """Return whether OpenVINO computes in bf16 on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
