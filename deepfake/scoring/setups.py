"""Record settings and environment of scores, so that they can be reproduced."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from deepfake import __version__
from deepfake.compute.devices import resolve_device
from deepfake.config import (
    AggregationConfig,
    CropConfig,
    DecoderName,
    FaceConfig,
    MediaLimits,
    MouthConfig,
    Precision,
    SamplingConfig,
    SpeechConfig,
    StoredRecord,
    WorkerLimits,
    first_problem,
)
from deepfake.detectors.bundles import Bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.detectors.voice_bundle import VoiceBundle
from deepfake.errors import DataError
from deepfake.extract.extracted_medium import (
    SPEECH_STEP_VERSION,
    STEP_VERSION,
    SYNC_STEP_VERSION,
)
from deepfake.scoring.scorer_settings import ScorerSetup, extract_config_of_bundle
from deepfake.storage import Location, read_json, write_json
from deepfake.verdicts.file_rule import FileRule

__all__ = [
    "DetectorName",
    "Environment",
    "ScoringConfiguration",
    "StoredSetup",
    "SyncConfiguration",
    "VoiceConfiguration",
    "describe_setup",
    "find_versions",
    "read_setup",
    "write_setup",
]

_LIBRARIES = (
    "av",
    "decord",
    "facenet-pytorch",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "openvino",
    "timm",
    "torch",
    "torchvision",
    "webrtcvad-wheels",
)
"""Libraries whose version can change a score."""
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")
"""Of a processor's flags, those by which libraries choose how to compute."""

_Text = Field(max_length=1000)


class DetectorName(StoredRecord):
    """Which detector.

    Attributes:
        name: The registry's or the bundle's name.
        version: The registry's version; None for a bundle from disk.
        digest: Of its description and weights.
    """

    name: str = _Text
    version: str | None = Field(default=None, max_length=100)
    digest: str = Field(pattern=r"^[0-9a-f]{16}$")


class VoiceConfiguration(StoredRecord):
    """Everything between a file's sound and the score of its voice, but for the weights.

    Attributes:
        step_version: Of the code that makes windows of speech.
        speech: How speech is found and cut.
    """

    step_version: str = Field(max_length=100)
    speech: SpeechConfig


class SyncConfiguration(StoredRecord):
    """Everything between a file and the score of its lips and sound, but for the weights.

    Attributes:
        step_version: Of the code that makes runs of mouths.
        mouths: Which moments are looked at, and how mouths are cut.
        speech: How speech is found.
    """

    step_version: str = Field(max_length=100)
    mouths: MouthConfig
    speech: SpeechConfig


class ScoringConfiguration(StoredRecord):
    """Everything between a file and its score, but for the detector's weights.

    Attributes:
        step_version: Of the code that makes crops.
        sampling: Which frames of a video.
        faces: How faces are found.
        crop: How they are cut out.
        max_crops: Of one file.
        aggregation: How crops become a file.
        decoder: What decodes videos.
        device: Where the networks run.
        precision: What they compute in on the CPU.
        prior: Share of fakes that was asked for; None for the detector's own.
        media_limits: How large a medium may be.
        worker_limits: What one file may cost.
        voice: How voices are judged; None where they are left out.
        sync: How lips are compared with sound; None where that is left out.
        file_rule: How the answers on a file are joined; None for the rule of the package.
    """

    step_version: str = Field(max_length=100)
    sampling: SamplingConfig
    faces: FaceConfig
    crop: CropConfig
    max_crops: int = Field(ge=1)
    aggregation: AggregationConfig
    decoder: DecoderName
    device: str = Field(pattern=r"^(cpu|cuda(:\d{1,3})?)$")
    precision: Precision
    prior: float | None = Field(gt=0, lt=1)
    media_limits: MediaLimits
    worker_limits: WorkerLimits
    voice: VoiceConfiguration | None = None
    sync: SyncConfiguration | None = None
    file_rule: FileRule | None = None


class Environment(StoredRecord):
    """Versions of whatever can change a score.

    Attributes:
        package: Version of this package.
        python: Version of Python.
        platform: Operating system and architecture.
        cpu: Name of the processor and how it can compute.
        libraries: Versions by name.
    """

    package: str = Field(max_length=100)
    python: str = Field(max_length=100)
    platform: str = _Text
    cpu: str = _Text
    libraries: dict[str, str] = Field(max_length=100)


class StoredSetup(StoredRecord):
    """What the scores of one version were made with.

    Attributes:
        detector: Which detector.
        configuration: How it scored; limits are those of the last run.
        made_with: What the last run found here.
        voice_detector: Which detector judges voices; None where they are left out.
        sync_detector: Which detector compares lips with sound; None where that is left out.
    """

    schema_name: Literal["deepfake.scoring_setup"] = "deepfake.scoring_setup"
    schema_version: Literal[1] = 1
    detector: DetectorName
    configuration: ScoringConfiguration
    made_with: Environment
    voice_detector: DetectorName | None = None
    sync_detector: DetectorName | None = None


def describe_setup(setup: ScorerSetup, *, bundle: Bundle, limits: WorkerLimits) -> StoredSetup:
    """Return what scores are made with in this process.

    Args:
        setup: Which detector, and how.
        bundle: The detector.
        limits: What one file may cost.
    """
    extraction = extract_config_of_bundle(bundle, sampling=setup.sampling, limits=setup.limits)
    identity = setup.detector
    return StoredSetup(
        detector=DetectorName(name=identity.name, version=identity.version, digest=bundle.digest),
        configuration=ScoringConfiguration(
            step_version=STEP_VERSION,
            sampling=extraction.sampling,
            faces=extraction.faces,
            crop=extraction.crop,
            max_crops=extraction.max_crops,
            aggregation=bundle.spec.aggregation,
            decoder=setup.decoder,
            device=resolve_device() if setup.device == "auto" else setup.device,
            precision=setup.precision,
            prior=setup.prior,
            media_limits=setup.limits,
            worker_limits=limits,
            voice=_voice_configuration(setup),
            sync=_sync_configuration(setup),
            file_rule=setup.file_rule,
        ),
        made_with=find_versions(),
        voice_detector=_name_of(setup.voice, setup.voice_bundle),
        sync_detector=_name_of(setup.sync, setup.sync_bundle),
    )


def _voice_configuration(setup: ScorerSetup) -> VoiceConfiguration | None:
    bundle = setup.voice_bundle
    if bundle is None:
        return None
    return VoiceConfiguration(step_version=SPEECH_STEP_VERSION, speech=bundle.spec.speech)


def _sync_configuration(setup: ScorerSetup) -> SyncConfiguration | None:
    bundle = setup.sync_bundle
    if bundle is None:
        return None
    return SyncConfiguration(
        step_version=SYNC_STEP_VERSION, mouths=bundle.spec.mouths, speech=bundle.spec.speech
    )


def _name_of(
    detector: DetectorIdentity | None, bundle: VoiceBundle | SyncBundle | None
) -> DetectorName | None:
    if detector is None or bundle is None:
        return None
    return DetectorName(name=detector.name, version=detector.version, digest=bundle.digest)


def write_setup(folder: Location, setup: StoredSetup) -> None:
    """Keep what the scores of a version are made with, in the version's folder."""
    record = setup.model_dump(mode="json")
    path = _path(folder)
    if not path.is_file() or _read_record(path) != record:
        write_json(path, record)


def _read_record(path: Location) -> Any:
    try:
        return read_json(path)
    except DataError:
        return None


def read_setup(folder: Location) -> StoredSetup:
    """Return what the scores of a version were made with.

    Raises:
        DataError: It is missing or damaged.
    """
    path = _path(folder)
    try:
        return StoredSetup.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(f"not a set-up of this version ({first_problem(error)})", path=path) from (
            error
        )


def _path(folder: Location) -> Location:
    return folder / "setup.json"


@cache
def find_versions() -> Environment:
    """Return the versions, here, of whatever can change a score."""
    return Environment(
        package=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_describe_cpu(),
        libraries=dict(_versions()),
    )


def _versions() -> Mapping[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _describe_cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    described = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, flags=re.MULTILINE))
    name = described.get("model name") or platform.machine()
    flags = (described.get("flags") or described.get("Features") or "").split()
    return f"{name} ({' '.join(f for f in _INSTRUCTIONS if f in flags) or 'baseline'})"
