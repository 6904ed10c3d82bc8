"""A bundle comes back as it was written, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    SamplingConfig,
    TrainConfig,
)
from deepfake.detectors.bundles import DetectorSpec, HeadSpec, load_bundle, save_bundle
from deepfake.errors import BundleError, ConfigError
from deepfake.types import Kind
from deepfake.verdicts.calibration import Calibration, Support, Thresholds
from deepfake.verdicts.judgement import JudgementSettings


def make_spec(**changes: Any) -> DetectorSpec:
    fields: dict[str, Any] = {
        "name": "tried",
        "architecture": "test_efficientnet",
        "input_size": 64,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "crop": CropConfig(),
        "faces": FaceConfig(),
        "sampling": SamplingConfig(),
        "aggregation": AggregationConfig(),
        "judgement": {
            "still": JudgementSettings(calibration=Calibration(temperature=2.0, is_fitted=True)),
            "video": JudgementSettings(),
        },
        "data_digests": {"corpus": "0" * 16},
        "metrics": {"val_auc": 0.5, "note": None},
        "pretrained_source": "scratch",
        "seed": 0,
        "code_version": "0",
        "created_at": "2026-01-01T00:00:00+00:00",
        "train_config": TrainConfig(),
    }
    return DetectorSpec(**{**fields, **changes})


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    weight = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    return {
        "conv.weight": weight.to(memory_format=torch.channels_last),
        "conv.shared": weight[0],
        "bn.num_batches_tracked": torch.tensor(7),
    }


@pytest.fixture
def bundle_dir(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    return save_bundle(tmp_path / "made" / "bundle", state_dict=tensors, spec=make_spec())


def test_bundle_comes_back_as_it_was_written(bundle_dir: Path, tensors: dict[str, Tensor]) -> None:
    bundle = load_bundle(bundle_dir)
    expected = make_spec(weights_sha256=bundle.spec.weights_sha256)
    assert bundle.spec == expected
    assert bundle.spec.weights_sha256 != "0" * 64
    state = bundle.state_dict()
    assert state.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(state[name], tensor)
    assert sorted(p.name for p in bundle_dir.iterdir()) == ["detector.json", "weights.safetensors"]
    assert [p.name for p in bundle_dir.parent.iterdir()] == ["bundle"]


def test_digest_follows_description_and_weights(
    tmp_path: Path, bundle_dir: Path, tensors: dict[str, Tensor]
) -> None:
    digest = load_bundle(bundle_dir).digest
    assert len(digest) == 16

    def digest_of(name: str, state: dict[str, Tensor], spec: DetectorSpec) -> str:
        return load_bundle(save_bundle(tmp_path / name, state_dict=state, spec=spec)).digest

    assert digest_of("same", tensors, make_spec()) == digest
    assert digest_of("named", tensors, make_spec(name="other")) != digest
    moved = {**tensors, "conv.weight": tensors["conv.weight"] + 1}
    assert digest_of("moved", moved, make_spec()) != digest


def test_altered_weights_are_refused(bundle_dir: Path) -> None:
    weights = bundle_dir / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(BundleError, match="not have the digest that the description names"):
        load_bundle(bundle_dir)


def _edit(bundle_dir: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = bundle_dir / "detector.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(schema_version=1), "schema version 1"),
        (lambda v: v.update(schema_version=4), "schema version 4"),
        (lambda v: v.update(judgement={}), "judgement"),
        (lambda v: v.update(judgement={"Still": {}}), "judgement.Still"),
        (lambda v: v["judgement"]["still"].update(surprise=1), "judgement.still.surprise"),
        (lambda v: v["heads"].append(v["heads"][0]), "same name"),
        (lambda v: v["heads"][0].update(name="No Name"), "heads.0.name"),
        (lambda v: v.pop("schema_version"), "schema version None"),
        (lambda v: v.update(surprise=1), "surprise"),
        (lambda v: v["crop"].update(surprise=1), "crop.surprise"),
        (lambda v: v.pop("mean"), "mean"),
        (lambda v: v.update(std=[0.0, 1.0, 1.0]), "std"),
        (lambda v: v.update(input_size=100_000), "input_size"),
        (lambda v: v.update(prior=1.0), "prior"),
    ],
)
def test_description_that_is_not_ours_is_refused(
    bundle_dir: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    _edit(bundle_dir, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_dir)


def test_a_further_kind_of_evidence_is_kept(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    voice = JudgementSettings(
        calibration=Calibration(temperature=3.0, fitted_on="voice", is_fitted=True),
        thresholds=Thresholds(real_below=0.1, fake_from=0.9),
        support=Support(min_frames=7),
        notes=("Calibrated on read speech.",),
    )
    spec = make_spec(judgement={"video": JudgementSettings(), "voice": voice})
    saved = save_bundle(tmp_path / "bundle", state_dict=tensors, spec=spec)
    found = load_bundle(saved).spec
    assert found.judgement == spec.judgement
    assert found.all_notes == voice.notes
    assert found.reading_notes == [
        "prob_fake of videos is not calibrated: read it as a rank",
        "prob_fake holds for media of which 50% are fakes; --prior gives it for another share",
        "Calibrated on read speech.",
    ]
    with pytest.raises(ConfigError, match="does not judge stills, only video, voice"):
        found.judgement_of(Kind.IMAGE)


def _as_version_2(value: dict[str, Any]) -> None:
    value["schema_version"] = 2
    for kind, own in value.pop("judgement").items():
        value["notes"] += own.pop("notes")
        del own["unseen"], own["thresholds"]["max_unseen_miss"]
        del own["likelihood_ratio_bounds"], own["support"]["min_colour"]
        value.update({f"{part}_{kind}": settings for part, settings in own.items()})
    for head in value["heads"]:
        del head["learns_from"]
    del value["joined"]


def test_a_bundle_of_version_2_is_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    note = "Probabilities for videos are calibrated on videos made by code out of stills."
    judgement = {
        "still": JudgementSettings(
            calibration=Calibration(temperature=2.0, is_fitted=True),
            support=Support(min_face_px=60),
        ),
        "video": JudgementSettings(thresholds=Thresholds(real_below=0.2), notes=(note,)),
    }
    heads = (
        HeadSpec(name="blended", learns_from="self_blended", scale=2.0),
        HeadSpec(name="generated", learns_from="labelled"),
    )
    spec = make_spec(judgement=judgement, heads=heads, notes=("It learnt little.",))
    folder = save_bundle(tmp_path / "bundle", state_dict=tensors, spec=spec)
    new = load_bundle(folder)
    _edit(folder, _as_version_2)
    old = load_bundle(folder)
    assert old.spec == new.spec
    assert old.spec.all_notes == ("It learnt little.", note)
    assert old.digest != new.digest, "the digest is of the file as it lies there"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("calibration_video"), "judgement.video.calibration"),
        (lambda v: v.pop("thresholds_still"), "judgement.still.thresholds"),
        (lambda v: v.update(heads=["fake"]), "heads.0"),
        (lambda v: v.update(notes=7), "notes"),
        (lambda v: v.update(surprise=1), "surprise"),
    ],
)
def test_a_damaged_bundle_of_version_2_is_refused(
    bundle_dir: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    _edit(bundle_dir, _as_version_2)
    _edit(bundle_dir, lambda value: value.pop("support_still"))
    load_bundle(bundle_dir)
    _edit(bundle_dir, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_description_that_is_no_object_is_refused(bundle_dir: Path, text: str) -> None:
    (bundle_dir / "detector.json").write_text(text)
    with pytest.raises(BundleError):
        load_bundle(bundle_dir)


def test_description_without_end_is_refused_unread(bundle_dir: Path) -> None:
    with (bundle_dir / "detector.json").open("r+b") as stream:
        stream.truncate(10 * 2**20)
    with pytest.raises(BundleError, match="larger than"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("name", ["detector.json", "weights.safetensors"])
def test_incomplete_bundle_is_refused(bundle_dir: Path, name: str) -> None:
    (bundle_dir / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(bundle_dir)


def test_bundle_is_replaced_only_on_demand(bundle_dir: Path, tensors: dict[str, Tensor]) -> None:
    with pytest.raises(BundleError, match="already"):
        save_bundle(bundle_dir, state_dict=tensors, spec=make_spec(name="second"))
    assert load_bundle(bundle_dir).spec.name == "tried"
    save_bundle(bundle_dir, state_dict=tensors, spec=make_spec(name="second"), overwrite=True)
    assert load_bundle(bundle_dir).spec.name == "second"
    assert [p.name for p in bundle_dir.parent.iterdir()] == ["bundle"]


def test_folder_that_is_no_bundle_is_never_replaced(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    (tmp_path / "letters.txt").write_text("kept")
    with pytest.raises(BundleError, match="not a bundle"):
        save_bundle(tmp_path, state_dict=tensors, spec=make_spec(), overwrite=True)
    assert (tmp_path / "letters.txt").read_text() == "kept"


def test_failed_write_leaves_the_old_bundle(
    bundle_dir: Path, tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("deepfake.detectors.bundle_files.write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        save_bundle(bundle_dir, state_dict=tensors, spec=make_spec(name="new"), overwrite=True)
    assert load_bundle(bundle_dir).spec.name == "tried"
    assert [p.name for p in bundle_dir.parent.iterdir()] == ["bundle"]


def test_former_names_of_unseen_kinds_are_read() -> None:
    counted = {
        "corpus": "others",
        "digest": "0" * 16,
        "num_real": 10,
        "num_fake": 40,
        "fakes_called_real": 9,
        "fakes_called_fake": 20,
        "reals_called_real": 8,
        "reals_called_fake": 0,
    }
    found = JudgementSettings.model_validate(
        {"unlearnt": [counted], "thresholds": {"max_unlearnt_miss": 0.3}}
    )
    assert found.thresholds.max_unseen_miss == 0.3
    assert found.unseen[0].fakes_called_real == 9
    assert JudgementSettings.model_validate(found.model_dump(mode="json")) == found
