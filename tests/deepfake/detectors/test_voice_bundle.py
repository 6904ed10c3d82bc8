"""A bundle of a detector of voices comes back as it was written, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake.config import SpeechConfig, VoiceTrainConfig
from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.detectors.voice_bundle import (
    VoiceSpec,
    load_voice_bundle,
    modality_of_bundle,
    packaged_voice_detector,
    save_voice_bundle,
)
from deepfake.errors import BundleError
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.voice import VoiceJudgement, VoiceSupport

_STATE = {"classifier.weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3)}


def _spec(**changes: Any) -> VoiceSpec:
    fields: dict[str, Any] = {
        "name": "tried",
        "architecture": "lcnn",
        "speech": SpeechConfig(window_seconds=3.0),
        "judgement": VoiceJudgement(
            calibration=Calibration(temperature=2.0, is_fitted=True),
            support=VoiceSupport(max_novelty=2.0),
            notes=("Calibrated on read speech.",),
        ),
        "has_novelty": True,
        "data_digests": {"corpus": "0" * 16},
        "metrics": {"val_auc": 0.9, "note": None},
        "scope": "Learnt: fakes like those of corpus.",
        "seed": 0,
        "code_version": "0",
        "created_at": "2026-01-01T00:00:00+00:00",
        "train_config": VoiceTrainConfig(copy_share=0.1),
    }
    return VoiceSpec(**{**fields, **changes})


@pytest.fixture
def bundle_dir(tmp_path: Path) -> Path:
    return save_voice_bundle(tmp_path / "made" / "bundle", state_dict=_STATE, spec=_spec())


def test_a_bundle_comes_back_as_it_was_written(bundle_dir: Path) -> None:
    bundle = load_voice_bundle(bundle_dir)
    assert bundle.spec == _spec(weights_sha256=bundle.spec.weights_sha256)
    assert bundle.spec.weights_sha256 != "0" * 64
    state = bundle.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in _STATE.items())
    assert modality_of_bundle(bundle_dir) == "voice"
    assert bundle.spec.num_samples == 48_000
    assert bundle.spec.outputs == ("logit", "novelty")
    assert bundle.tags["model_digest"] == bundle.digest
    assert bundle.spec.made_with["copy_share"] == 0.1


def test_a_reader_learns_the_scope_and_what_probabilities_hold_for() -> None:
    notes = _spec().reading_notes
    assert notes[0] == "Learnt: fakes like those of corpus."
    assert "50% are fakes" in notes[1]
    assert notes[2] == "Calibrated on read speech."
    assert "voices is not calibrated" in _spec(judgement=VoiceJudgement()).reading_notes[1]


def test_altered_weights_are_refused(bundle_dir: Path) -> None:
    weights = bundle_dir / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(BundleError, match="not have the digest that the description names"):
        load_voice_bundle(bundle_dir)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(schema_version=2), "schema version 2"),
        (lambda v: v.update(surprise=1), "surprise"),
        (lambda v: v["speech"].update(window_seconds=0), "speech.window_seconds"),
        (lambda v: v["judgement"]["support"].update(max_novelty=-1), "support.max_novelty"),
        (lambda v: v.update(modality="faces"), "a detector of faces"),
    ],
)
def test_a_description_that_is_not_ours_is_refused(
    bundle_dir: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    path = bundle_dir / "detector.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    with pytest.raises(BundleError, match=message):
        load_voice_bundle(bundle_dir)


def test_detectors_of_faces_and_of_voices_are_not_mixed_up(bundle_dir: Path) -> None:
    with pytest.raises(BundleError, match="a detector of voices, and one of faces is needed"):
        load_bundle(bundle_dir)
    faces = packaged_detector()
    assert faces is not None
    assert modality_of_bundle(faces) == "faces"
    with pytest.raises(BundleError, match="a detector of faces, and one of voices is needed"):
        load_voice_bundle(faces)


def test_the_packaged_detector_of_voices_is_one_where_it_is_there() -> None:
    packaged = packaged_voice_detector()
    assert packaged is None or load_voice_bundle(packaged).spec.modality == "voice"


def test_an_existing_bundle_is_replaced_only_if_asked(bundle_dir: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        save_voice_bundle(bundle_dir, state_dict=_STATE, spec=_spec())
    save_voice_bundle(bundle_dir, state_dict=_STATE, spec=_spec(name="other"), overwrite=True)
    assert load_voice_bundle(bundle_dir).spec.name == "other"
