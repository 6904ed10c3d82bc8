"""The packaged detector: fixed logits, a face against its forgeries, stated limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import Detector, load_detector
from deepfake.errors import BundleError
from deepfake.extract.extractor import ExtractRequest
from deepfake.media import jpeg_round_trip, write_image
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.scoring.drift import load_reference
from deepfake.storage import sha256_of, to_uri
from deepfake.types import Kind
from tests.command_line import run_deepfake
from tests.golden.pictures import blended_crops, golden_crops, golden_scores, real_crop
from tests.paths import CHECKOUT
from tests.sample_data import astronaut, landscape

GOLDEN = CHECKOUT / "tests" / "golden" / "packaged.json"
_MAX_BYTES = 25 * 10**6


@pytest.fixture(scope="module")
def folder() -> Path:
    found = packaged_detector()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def detector(folder: Path) -> Detector:
    return load_detector(folder, device="cpu")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_fixed_pictures_have_the_logits_that_they_had(folder: Path, backend: str) -> None:
    # If a library moved them, every score moved: raise `_GRAPH_VERSION` or pin the library.
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    expected.pop("scored")
    loaded = load_detector(folder, device="cpu", backend=backend)  # type: ignore[arg-type]
    found = loaded.head_outputs(golden_crops())
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, err_msg=name)
    assert np.ptp(expected["logit"]) > 0.5


def test_fixed_stills_have_the_scores_that_they_had(folder: Path, tmp_path: Path) -> None:
    # Decoding, face detector, crop and codec are between these files and their logits.
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))["scored"]
    # A processor without AVX-512 sums in another order, which moves a face box by a fraction of a
    # pixel and a logit by 0.003.
    np.testing.assert_allclose(golden_scores(folder, tmp_path), expected, atol=5e-3)


def test_bundle_is_small_complete_and_says_what_it_is(folder: Path) -> None:
    spec = load_bundle(folder).spec
    assert sum(path.stat().st_size for path in folder.iterdir()) <= _MAX_BYTES
    still, video = spec.judgement["still"], spec.judgement["video"]
    assert still.calibration.is_fitted
    assert video.calibration.fitted_on == "synthetic video"
    assert still.thresholds.is_fitted
    assert video.thresholds.is_fitted
    assert still.support.max_novelty is not None
    assert any("made by code" in note for note in spec.all_notes)
    for settings in (still, video):
        bounds = settings.likelihood_ratio_bounds
        assert bounds is not None and bounds.lower < 1 < bounds.upper
        assert settings.support.min_colour is not None, "a grey face is never called real"
    for word in ("Not learnt", "lip-sync", "voices", "diffusion", "do not rely on it"):
        assert word in spec.scope
    assert "not verified" in spec.licence
    assert set(spec.data_digests) == {"openforensics"}, "never on the videos"


def test_it_is_the_one_that_is_used_where_none_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    identity, how = resolve_detector()
    assert (identity.path, how) == (folder, "the packaged detector")
    assert resolve_detector("packaged") == (identity, "named by the user")
    (tmp_path / "packaged").mkdir()
    with pytest.raises(BundleError, match="packaged"):
        resolve_detector("packaged")


def test_blends_of_a_face_stand_out_from_it(detector: Detector) -> None:
    square, _ = real_crop()
    own = float(detector.head_outputs([square])["logit_blended"][0])
    blends = detector.head_outputs(blended_crops(20))["logit_blended"]
    assert np.mean(blends > own) >= 0.8
    assert float(np.median(blends)) > own + 0.5


def test_what_does_not_forge_hardly_moves_the_answer(detector: Detector) -> None:
    square, _ = real_crop()
    spread = float(np.std(detector.logits([square, *blended_crops(20)])))
    harmless = {
        "mirrored": np.ascontiguousarray(square[:, ::-1]),
        "JPEG 90": jpeg_round_trip(square, quality=90),
        "darker": np.round(square * 0.9).astype(np.uint8),
    }
    own = float(detector.logits([square])[0])
    for name, changed in harmless.items():
        moved = abs(float(detector.logits([changed])[0]) - own)
        assert moved < max(1.0, 2 * spread), name


def test_noise_looks_newer_than_a_face(detector: Detector) -> None:
    square, _ = real_crop()
    noise = np.random.default_rng(0).integers(0, 256, size=(256, 256, 3), dtype=np.uint8)
    novelty = detector.head_outputs([square, noise])["novelty"]
    limit = detector.spec.judgement["still"].support.max_novelty
    assert limit is not None
    assert novelty[0] < limit < novelty[1]


def test_a_photo_gets_an_answer_on_a_fresh_machine(tmp_path: Path) -> None:
    pixels = astronaut()
    write_image(tmp_path / "photo.png", pixels)
    small = cv2.resize(pixels, (180, 180), interpolation=cv2.INTER_AREA)
    write_image(tmp_path / "small.png", np.asarray(small))
    write_image(tmp_path / "blurred.png", np.asarray(cv2.GaussianBlur(pixels, (0, 0), 5)))
    write_image(tmp_path / "landscape.png", landscape())
    names = ("photo.png", "small.png", "blurred.png", "landscape.png")
    done = run_deepfake("detect", *names, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "deepfake-packaged (the packaged detector)" in done.stderr
    assert "Not learnt" in " ".join(done.stderr.split())
    rows = {Path(row["uri"]).name: row for row in json.loads(done.stdout)}
    photo, small_one, blurred, nobody = (rows[name] for name in names)
    assert "Not learnt" in photo["notes"][0]
    assert photo["status"] == "ok"
    assert photo["verdict"] == "real"
    assert 0 < photo["prob_fake"] < 1
    assert (small_one["verdict"], blurred["verdict"]) == ("uncertain", "uncertain")
    assert small_one["reason"].startswith("the face is too small")
    assert blurred["reason"].startswith("the face is too blurred")
    assert (nobody["verdict"], nobody["prob_fake"]) == ("not_applicable", None)


def test_another_share_of_fakes_moves_the_probability_and_not_the_verdict(
    folder: Path, tmp_path: Path
) -> None:
    path = write_image(tmp_path / "photo.png", astronaut())
    request = ExtractRequest(to_uri(path), sha256_of(path))
    setup = ScorerSetup(DetectorIdentity(folder, "packaged"))
    plain = Scorer(setup).score(request).score
    rare = Scorer(replace(setup, prior=0.01)).score(request).score
    odds = [prob / (1 - prob) for prob in (plain.prob_fake, rare.prob_fake) if prob is not None]
    assert odds[1] / odds[0] == pytest.approx(0.01 / 0.99)
    assert rare.verdict == plain.verdict
    assert plain.reason is not None and plain.reason.startswith("no sign of the kinds of fakes it")
    assert rare.reason == (
        f"{plain.reason}; judged at a share of fakes of 0.5, as calibrated, where its "
        f"probability is {plain.prob_fake:.1%}"
    )


def test_it_knows_what_its_own_media_looked_like(folder: Path) -> None:
    reference = load_reference(folder)
    assert reference is not None
    assert set(reference.data_digests) == set(load_bundle(folder).spec.calibration_digests)
    for kind, least in ((Kind.IMAGE, 900), (Kind.VIDEO, 300)):
        features = reference.features[kind]
        assert set(features) == {"logit", "face_px", "sharpness", "novelty", "bytes_per_pixel"}
        assert all(histogram.num_samples >= least for histogram in features.values())
    # Smaller faces than those of its support were never calibrated on.
    smallest = load_bundle(folder).spec.judgement["still"].support.min_face_px
    assert smallest is not None and reference.features[Kind.IMAGE]["face_px"].edges[0] > smallest
