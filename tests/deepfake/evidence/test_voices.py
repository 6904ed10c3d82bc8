"""Evidence of a voice: windows of speech, thresholds, and the waveform of the sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from deepfake.config import MediaLimits, WorkerLimits
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.voice_bundle import VoiceBundle, load_voice_bundle
from deepfake.errors import MediaError
from deepfake.evidence import (
    EvidenceRecord,
    Explainer,
    ExplainerSetup,
    VoiceEvidence,
    VoiceWindow,
    create_request,
    evidence_folder,
    make_missing_evidence,
    read_record,
    write_evidence,
)
from deepfake.evidence.selection import find_missing_evidence, find_request
from deepfake.evidence.voices import MAX_WAVEFORM, create_voice, trace_waveform
from deepfake.media import write_image
from deepfake.scoring import (
    FRAMES_SCHEMA,
    SCORES_SCHEMA,
    ScorerSetup,
    describe_setup,
    write_setup,
)
from deepfake.scoring.schemas import WINDOWS_SCHEMA
from deepfake.storage import sha256_of, write_json
from tests.sample_data import astronaut, make_detector
from tests.sound_factory import make_speech, make_tone, write_samples
from tests.untrained_voice_detector import write_voice_bundle

_LIMITS = MediaLimits()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_detector(tmp_path_factory.mktemp("detector") / "bundle"))


@pytest.fixture(scope="module")
def voice_bundle(tmp_path_factory: pytest.TempPathFactory) -> VoiceBundle:
    """Return an untrained detector: real under 0.35, fake from 0.65."""
    return load_voice_bundle(write_voice_bundle(tmp_path_factory.mktemp("voice") / "bundle"))


def _score(uri: str, media_id: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(SCORES_SCHEMA.names)
    row |= {"uri": uri, "media_id": media_id, "kind": "audio", "status": "no_picture"}
    return {**row, "prior": 0.5, "model_digest": "d", **more}


def _windows(logits: Sequence[float]) -> list[dict[str, Any]]:
    return [
        {
            "pts_seconds": 4.0 * at,
            "end_seconds": 4.0 * at + 4,
            "logit": logit,
            "prob_fake": float(1 / (1 + np.exp(-logit))),
        }
        for at, logit in enumerate(logits)
    ]


def _write(version_dir: Path, scores: Sequence[dict[str, Any]]) -> None:
    """Write the tables of scores; each voice has two windows."""
    version_dir.mkdir(parents=True, exist_ok=True)
    judged = [row for row in scores if row["prob_fake_voice"] is not None]
    rows = [
        {**dict.fromkeys(WINDOWS_SCHEMA.names), "uri": score["uri"], **window}
        for score in judged
        for window in _windows([-1.0, 1.0])
    ]
    pq.write_table(
        pa.Table.from_pylist(list(scores), SCORES_SCHEMA), version_dir / "scores.parquet"
    )
    pq.write_table(pa.Table.from_pylist([], FRAMES_SCHEMA), version_dir / "frames.parquet")
    pq.write_table(pa.Table.from_pylist(rows, WINDOWS_SCHEMA), version_dir / "windows.parquet")


def test_a_record_with_a_voice_is_read_as_it_was_written(tmp_path: Path) -> None:
    windows = (VoiceWindow(pts_seconds=0.5, end_seconds=4.5, prob_fake=0.9, is_strongest=True),)
    voice = VoiceEvidence(windows=windows, duration_seconds=5.0, waveform=((-127, 127), (0, 3)))
    record = EvidenceRecord(media_id="ab" * 32, made_for="x", kind="audio", voice=voice)
    write_evidence(tmp_path, record, {})
    assert read_record(tmp_path, record.media_id) == record


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    record = EvidenceRecord(media_id="ab" * 32, made_for="x", kind="video")
    path = write_evidence(tmp_path, record, {}) / "evidence.json"
    known = json.loads(path.read_text())
    del known["voice"]
    path.write_text(json.dumps(known))
    assert read_record(tmp_path, record.media_id) == record


@pytest.mark.parametrize("waveform", [((-128, 0),), ((0, 300),), ((0, 0),) * (MAX_WAVEFORM + 1)])
def test_a_waveform_has_bounds(waveform: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValidationError):
        VoiceEvidence(windows=(), waveform=waveform)


def test_the_waveform_has_the_least_and_greatest_values_of_the_sound(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Another loudness each tenth of a second, and a length that no part divides.
    loudness = np.repeat(rng.uniform(0.05, 0.95, 131), 1600)[: 16_000 * 13 + 77]
    sound = (loudness * make_tone(hz=1000, seconds=13.1, level=1.0)[: len(loudness)])[None]
    path = write_samples(tmp_path / "a.wav", sound.astype(np.float32), codec="pcm_s16le")
    seconds, waveform = trace_waveform(path, limits=_LIMITS, max_seconds=600.0)
    assert seconds == pytest.approx(sound.shape[1] / 16_000)
    assert 1 < len(waveform) <= MAX_WAVEFORM
    assert waveform[:, 1].max() == pytest.approx(127 * sound.max(), abs=1)
    assert waveform[:, 0].min() == pytest.approx(127 * sound.min(), abs=1)
    middles = (np.arange(len(waveform)) + 0.5) / len(waveform) * seconds
    expected = loudness[(middles * 16_000).astype(int)]
    # Parts at a border have the louder side.
    assert np.median(np.abs(waveform[:, 1] / 127 - expected)) < 0.02
    _, few = trace_waveform(path, limits=_LIMITS, max_seconds=600.0, max_parts=7)
    assert few.shape == (7, 2) and few.max() == waveform.max()


def test_no_more_sound_is_read_than_is_listened_to(tmp_path: Path) -> None:
    sound = np.concatenate([make_tone(seconds=2.0, level=0.2), make_tone(seconds=2.0, level=0.9)])
    path = write_samples(tmp_path / "a.wav", sound[None], codec="pcm_s16le")
    seconds, waveform = trace_waveform(path, limits=_LIMITS, max_seconds=2.0)
    assert seconds == 2.0 and waveform.max() < 40


def test_without_sound_there_is_no_waveform(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_image(path, astronaut()[:64, :64])
    with pytest.raises(MediaError):
        trace_waveform(path, limits=_LIMITS, max_seconds=1.0)


def test_thresholds_are_at_the_prior_of_the_score(voice_bundle: VoiceBundle) -> None:
    score = _score("/a.wav", "ab" * 32, prob_fake_voice=0.5, logit_voice=0.0)
    windows = _windows([0.0, 2.0, 2.0, -1.0])
    voice = create_voice(create_request(score, (), windows), bundle=voice_bundle)
    assert voice is not None and (voice.real_below, voice.fake_from) == (0.35, 0.65)
    assert voice.strongest is not None and voice.strongest.pts_seconds == 4.0
    assert sum(window.is_strongest for window in voice.windows) == 1
    rare = create_voice(create_request({**score, "prior": 0.1}, (), windows), bundle=voice_bundle)
    assert rare is not None and rare.fake_from == pytest.approx(0.171, abs=1e-3)
    unknown = create_voice(create_request(score, (), windows))
    assert unknown is not None and unknown.real_below is None is unknown.fake_from
    silent = create_request({**score, "prob_fake_voice": None}, ())
    assert create_voice(silent, bundle=voice_bundle) is None


def test_a_sound_file_gets_evidence_and_one_without_a_voice_gets_none(
    tmp_path: Path, bundle: Bundle
) -> None:
    judged = {"verdict_voice": "fake", "logit_voice": 1.0}
    _write(
        tmp_path,
        [
            _score("/low.wav", f"{1:064x}", prob_fake_voice=0.2, **judged),
            _score("/none.wav", f"{2:064x}", verdict_voice="not_applicable"),
            _score("/high.wav", f"{3:064x}", prob_fake_voice=0.9, **judged),
            _score("/middle.wav", f"{4:064x}", prob_fake_voice=0.6, **judged),
        ],
    )
    found = find_missing_evidence(tmp_path, bundle=bundle, num_files=100)
    assert [request.uri for request in found] == ["/high.wav", "/middle.wav", "/low.wav"]
    assert [row["logit"] for row in found[0].windows] == [-1.0, 1.0]
    assert find_request(tmp_path, f"{3:064x}") == found[0]


def test_what_it_is_made_for_depends_on_the_voice_only_where_there_is_one() -> None:
    score = _score("/a.mp4", "ab" * 32, prob_fake=0.5, logit=0.0)
    earlier = {name: value for name, value in score.items() if "voice" not in name}
    assert create_request(earlier, ()).made_for == create_request(score, ()).made_for
    first, second = (
        create_request({**score, "prob_fake_voice": 0.5, "logit_voice": logit}, ()).made_for
        for logit in (0.0, 0.1)
    )
    assert first != second


@pytest.mark.parametrize("has_voice_detector", [True, False])
def test_a_worker_reads_the_sound_again(
    tmp_path: Path, bundle: Bundle, voice_bundle: VoiceBundle, has_voice_detector: bool
) -> None:
    path = write_samples(tmp_path / "a.wav", make_speech(8.0)[None], codec="pcm_s16le")
    score = _score(str(path), sha256_of(path), prob_fake_voice=0.6, logit_voice=0.4)
    request = create_request(score, (), _windows([0.0, 0.8]))
    voice_path = voice_bundle.path if has_voice_detector else None
    explainer = Explainer(ExplainerSetup(bundle.path, _LIMITS, voice=voice_path))
    evidence = explainer.explain(request)
    voice = evidence.record.voice
    assert evidence.record.is_whole and evidence.pictures == {}
    assert voice is not None and len(voice.windows) == 2
    assert voice.duration_seconds == pytest.approx(8.0, abs=0.01)
    assert 0 < len(voice.waveform) <= MAX_WAVEFORM
    assert (voice.fake_from is None) is not has_voice_detector
    assert any("is not here" in note for note in evidence.record.notes) is not has_voice_detector
    assert explainer.read_provenance(request).sentences


def test_thresholds_come_from_the_detector_that_the_run_names(
    tmp_path: Path, bundle: Bundle, voice_bundle: VoiceBundle
) -> None:
    path = write_samples(tmp_path / "a.wav", make_speech(8.0)[None], codec="pcm_s16le")
    media_id, version = sha256_of(path), tmp_path / "version"
    judged = {"verdict_voice": "fake", "prob_fake_voice": 0.7, "logit_voice": 1.0}
    _write(version, [_score(str(path), media_id, **judged)])
    setup = ScorerSetup(
        DetectorIdentity(bundle.path, "faces"), voice=DetectorIdentity(voice_bundle.path, "voices")
    )
    write_setup(version, describe_setup(setup, bundle=bundle, limits=WorkerLimits()))
    named = {"detector": bundle.path, "voice_detector": voice_bundle.path}
    write_json(version / "run.json", {name: {"path": str(p)} for name, p in named.items()})
    made = make_missing_evidence(version, num_files=1, data_root=tmp_path / "none")
    assert (made.problem, made.num_made) == (None, 1)
    record = read_record(evidence_folder(version), media_id)
    assert record is not None and record.is_whole and record.voice is not None
    assert record.voice.fake_from == 0.65 and record.voice.waveform
    assert make_missing_evidence(version, num_files=1, data_root=tmp_path / "none").num_made == 0
