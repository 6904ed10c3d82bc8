"""Receipts from anybody: either of the one schema, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake.config import MediaLimits, WorkerLimits
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import DataError
from deepfake.scoring import (
    SCORES_SCHEMA,
    Receipt,
    ScorerSetup,
    read_receipt,
    scoring_digest,
    verify_receipt,
)
from deepfake.scoring.receipts.receipt import ScoreRow
from deepfake.scoring.receipts.verify import _at_most
from deepfake.scoring.setups import describe_setup
from deepfake.storage import sha256_of
from tests.sample_data import make_detector


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("receipt")


@pytest.fixture
def receipt(detector: Path, tmp_path: Path) -> dict[str, Any]:
    """Return a receipt of a file that is no picture."""
    file = tmp_path / "file.png"
    file.write_text("no picture\n" * 50)
    return _exported(detector, file)


def _exported(detector: Path, file: Path) -> dict[str, Any]:
    bundle = load_bundle(detector)
    scorer = ScorerSetup(DetectorIdentity(detector, "tried"))
    setup = describe_setup(scorer, bundle=bundle, limits=WorkerLimits()).model_dump(mode="json")
    digest = sha256_of(file)
    score = {
        **dict.fromkeys(SCORES_SCHEMA.names),
        "uri": str(file),
        "media_id": digest,
        "status": "unsupported",
        "verdict": "not_applicable",
        "reason": "a text file, not a picture, video or sound",
        "is_partial": False,
        "model_name": "tried",
        "model_digest": bundle.digest,
        "config_digest": scoring_digest(scorer, bundle=bundle),
        "prior": 0.5,
    }
    return {
        "schema_name": "deepfake.receipt",
        "schema_version": 1,
        "made_at": "2026-01-01T00:00:00+00:00",
        "uri": str(file),
        "sha256": digest,
        "size_bytes": file.stat().st_size,
        "score": score,
        "detector": setup["detector"],
        "configuration": setup["configuration"],
        "made_with": setup["made_with"],
        "voice_detector": None,
        "sync_detector": None,
    }


def _without_voices(receipt: dict[str, Any]) -> dict[str, Any]:
    """Return a receipt as it was before voices were judged."""
    score = {
        name: value
        for name, value in receipt["score"].items()
        if "voice" not in name and name not in ("speech_seconds", "num_windows")
    }
    configuration = {k: v for k, v in receipt["configuration"].items() if k != "voice"}
    old = {k: v for k, v in receipt.items() if k != "voice_detector"}
    return {**old, "score": score, "configuration": configuration}


def test_a_receipt_from_before_there_were_voices_is_read(
    receipt: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(_without_voices(receipt)))
    assert read_receipt(path) == Receipt.model_validate(receipt)


def _checked(receipt: dict[str, Any], detector: Path, file: Path | None = None) -> dict[str, Any]:
    bundle = load_bundle(detector)
    checks = verify_receipt(
        Receipt.model_validate(receipt),
        detector=DetectorIdentity(detector, "tried"),
        bundle=bundle,
        file=file,
        cache=detector.parent / "cache",
    )
    return {check.name: (check.is_passed, check.finding) for check in checks}


def test_a_row_of_a_receipt_is_a_row_of_the_table() -> None:
    assert list(ScoreRow.model_fields) == SCORES_SCHEMA.names


def test_what_was_written_is_what_is_read(receipt: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(receipt))
    assert read_receipt(path).model_dump(mode="json") == receipt


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("more",), 1),
        (("score", "more"), 1),
        (("configuration", "sampling", "path"), "/etc/passwd"),
        (("schema_version",), 2),
        (("schema_name",), "deepfake.scores"),
        (("sha256",), "ABC"),
        (("size_bytes",), -1),
        (("score", "prob_fake"), 1.5),
        (("score", "logit"), float("nan")),
        (("score", "logit"), float("inf")),
        (("score", "status"), "fine"),
        (("configuration", "device"), "cpu; rm -rf /"),
        (("configuration", "decoder"), "shell"),
        (("configuration", "prior"), 0),
        (("uri",), "x" * 20_000),
        (("score",), None),
    ],
    ids=str,
)
def test_anything_else_is_refused(
    receipt: dict[str, Any], tmp_path: Path, where: tuple[str, ...], value: Any
) -> None:
    place = receipt
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = value
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(receipt))
    with pytest.raises(DataError, match="not a receipt"):
        read_receipt(path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b" " * (2**20 + 1), b"[]"]
)
def test_what_is_no_json_of_its_size_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_receipt(path)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    at=st.sampled_from(["uri", "score", "detector", "configuration", "made_with", "size_bytes"]),
)
@settings(max_examples=60, deadline=None)
def test_a_strangers_values_are_refused(folder: Path, value: Any, at: str) -> None:
    path = folder / "receipt.json"
    path.write_text(json.dumps({"schema_name": "deepfake.receipt", at: value}))
    with pytest.raises(DataError):
        read_receipt(path)


@pytest.mark.slow
def test_a_file_that_is_refused_again_is_verified(receipt: dict[str, Any], detector: Path) -> None:
    checks = _checked(receipt, detector)
    assert all(passed is not False for passed, _ in checks.values()), checks
    assert checks["status"] == (True, "unsupported")
    assert checks["logit"] == (True, "none, as in the receipt")
    assert "named by the receipt" in checks["file"][1]


@pytest.mark.slow
def test_only_the_named_file_is_read(
    receipt: dict[str, Any], detector: Path, tmp_path: Path
) -> None:
    """A stranger's uri could lead anywhere; where the user names the file it leads nowhere."""
    file = Path(receipt["uri"])
    mine = tmp_path / "mine.png"
    mine.write_bytes(file.read_bytes())
    for uri in (str(tmp_path / "trap"), "s3://bucket/x.png", "/dev/zero"):
        checks = _checked(
            {**receipt, "uri": uri, "score": {**receipt["score"], "uri": uri}}, detector, mine
        )
        assert checks["file"][0] is True
        assert str(mine) in checks["file"][1]
        assert "named by you" in checks["file"][1]
        assert checks["status"][0] is True


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("/dev/zero", "no regular file"),
        ("/dev/stdin", "no regular file"),
        ("/", "no regular file"),
        ("/nowhere/at/all", "cannot be read"),
        ("s3://bucket/x", "not on this machine"),
        ("http://127.0.0.1:1/x", "not on this machine"),
    ],
)
def test_what_is_no_file_is_not_read(
    receipt: dict[str, Any], detector: Path, uri: str, why: str
) -> None:
    checks = _checked({**receipt, "uri": uri, "score": {**receipt["score"], "uri": uri}}, detector)
    assert checks["file"][0] is False
    assert why in checks["file"][1]
    assert checks["score"][0] is False


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({"size_bytes": 7}, "file", "bytes, the receipt's has 7"),
        ({"sha256": "0" * 64}, "file", "not the receipt's"),
        ({"score.media_id": "0" * 64}, "file", "not what the row says was scored"),
        ({"score.uri": "/other"}, "receipt", "contradicts itself"),
        ({"score.model_digest": "0" * 16}, "receipt", "contradicts itself"),
        ({"score.model_name": "finer"}, "receipt", "contradicts itself"),
        ({"detector.digest": "0" * 16, "score.model_digest": "0" * 16}, "detector", "another one"),
        ({"configuration.step_version": "0"}, "configuration", "step_version"),
        ({"configuration.max_crops": 1}, "configuration", "max_crops"),
        ({"configuration.sampling.num_frames": 9}, "configuration", "digest is not"),
        ({"configuration.prior": 0.25}, "configuration", "digest is not"),
    ],
    ids=str,
)
def test_whatever_was_altered_is_found(
    receipt: dict[str, Any], detector: Path, changes: dict[str, Any], name: str, why: str
) -> None:
    _find(receipt, detector, changes, name, why)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({"score.status": "ok", "score.logit": 1.0}, "status", "unsupported (a text file"),
        ({"score.logit": 1.0}, "logit", "None now, 1.0 in the receipt"),
        ({"score.verdict": "fake"}, "verdict", "not_applicable now, fake in the receipt"),
        ({"score.num_faces": 1}, "counts", "num_faces None"),
    ],
    ids=str,
)
def test_an_altered_score_is_found(
    receipt: dict[str, Any], detector: Path, changes: dict[str, Any], name: str, why: str
) -> None:
    _find(receipt, detector, changes, name, why)


def _find(
    receipt: dict[str, Any], detector: Path, changes: dict[str, Any], name: str, why: str
) -> None:
    for path, value in changes.items():
        *places, last = path.split(".")
        place = receipt
        for part in places:
            place = place[part]
        place[last] = value
    checks = _checked(receipt, detector)
    assert checks[name][0] is False, checks
    assert why in checks[name][1]


def test_a_receipt_raises_no_limit() -> None:
    asked = WorkerLimits(timeout_seconds=10**9, memory_bytes=1)
    assert _at_most(asked, WorkerLimits()) == WorkerLimits(memory_bytes=1)
    huge = MediaLimits(max_pixels=10**15, max_bytes=10)
    assert _at_most(huge, MediaLimits()) == MediaLimits(max_bytes=10)
