"""Reports: one file that asks for nothing, in which what came from outside is text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake.errors import DataError
from deepfake.evidence import (
    Evidence,
    MouthBlock,
    SyncEvidence,
    evidence_folder,
    write_evidence,
)
from deepfake.evidence.embedded_json import read_embedded_json
from deepfake.scoring import SCORES_SCHEMA
from deepfake.storage import write_json
from deepfake.views.report import (
    MAX_BYTES,
    MAX_ROWS,
    create_report,
    read_report,
    render_report,
    write_report,
)
from tests.sample_report import (
    SCRIPT_NAME,
    evidence,
    report,
    score,
    voice_evidence,
    voice_score,
)


def _data(page: str) -> dict[str, Any]:
    data = read_embedded_json(page)
    assert isinstance(data, dict)
    return data


def test_names_and_metadata_are_text() -> None:
    odd = score(1, uri=SCRIPT_NAME, reason="a <b>reason</b> \u2028 & more", status="crashed")
    page = render_report(report([odd, score(2)], evidence=[evidence(1, software=SCRIPT_NAME)]))
    assert page.count("<script") == 2, "the data and the one of ours"
    assert "<img" not in page and "<b>" not in page
    (embedded,) = re.findall(r'(?s)<script type="application/json".*?</script>', page)
    assert "\u2028" not in embedded, "where it would end a line of a script"
    data = _data(page)
    assert SCRIPT_NAME in data["columns"]["uri"]
    assert "a <b>reason</b> \u2028 & more" in data["names"]["reason"]
    assert data["items"][0]["provenance"]["tags"]["software"] == SCRIPT_NAME


def test_nothing_in_it_is_taken_from_elsewhere() -> None:
    page = render_report(report([score(1)], evidence=[evidence(1)]))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy.group(1) and "http" not in policy.group(1)
    shell = re.sub(r"(?s)<script.*?</script>", "", page)
    assert not re.search(r"(?i)\b(src|href)\s*=\s*[\"'](?!#)", shell)
    assert "@import" not in page and "url(" not in page


def test_more_rows_than_are_shown_are_counted_and_said_to_be_elsewhere() -> None:
    rows = [score(number) for number in range(MAX_ROWS + 5)]
    page = render_report(report(rows))
    data = _data(page)
    assert len(data["columns"]["uri"]) == MAX_ROWS
    assert "5 files are left out here" in page
    assert min(data["columns"]["prob_fake"]) == 0.0
    assert data["columns"]["prob_fake"] == sorted(data["columns"]["prob_fake"], reverse=True)
    assert len(page.encode()) < MAX_BYTES


def test_long_names_and_much_evidence_stay_under_the_limit() -> None:
    rows = [score(number, uri=f"/{number}/" + "x" * 4000) for number in range(8000)]
    items = [evidence(number) for number in range(50)]
    page = render_report(report(rows, evidence=items))
    assert len(page.encode()) <= MAX_BYTES
    assert "files are left out here" in page
    small = render_report(report(rows[:10], evidence=items), max_bytes=300_000)
    assert len(small.encode()) <= 300_000
    assert 0 < len(_data(small)["items"]) < 50
    assert f"no room in this file for that of {50 - len(_data(small)['items'])} more" in small


def test_false_alarms_are_reckoned_or_unknown() -> None:
    page = render_report(report([score(1)]))
    row = re.search(r"(?s)<th scope=\"row\">stills</th>(.*?)</tr>", page)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row.group(1)) == ["5.0 % of 242", "5 %", "31 %", "83 %"]
    assert '<th scope="row">videos</th>' not in page, "not fitted: not known"
    assert "nothing is called fake" in page
    unknown = report([score(1)])
    page = render_report(type(unknown)(**{**vars(unknown), "alarms": ()}))
    assert "Unknown: the detector" in page


def _write_output(output: Path, rows: list[dict[str, Any]]) -> Path:
    version = output / "versions" / "0123456789abcdef"
    version.mkdir(parents=True)
    whole = [{**dict.fromkeys(SCORES_SCHEMA.names), **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(whole, SCORES_SCHEMA), version / "scores.parquet")
    named = {"name": "tried", "version": "2", "digest": "abc"}
    write_json(version / "run.json", {"folder": "/media", "detector": named, "notes": ["Scope."]})
    return version


def test_likelihood_ratios_stand_in_the_table() -> None:
    ends = {"likelihood_ratio_min": 0.02, "likelihood_ratio_max": 80.0}
    rows = [
        score(1, likelihood_ratio=80.0, **ends),
        score(2, likelihood_ratio=0.02, **ends),
        score(3, likelihood_ratio=7.4321, **ends),
        score(4),
    ]
    columns = _data(render_report(report(rows)))["columns"]
    pairs = zip(columns["likelihood_ratio"], columns["bound"], strict=True)
    found = dict(zip(columns["uri"], pairs, strict=True))
    assert [found[row["uri"]] for row in rows] == [(80, 1), (0.02, -1), (7.4, 0), (None, 0)]


_MISSED = "of 1,425 fake stills of kinds that it did not learn, 20% are called real (crops)"
_TRAINED = "Trained on self-blended reals (face crops left out of the training part: 362)."


def _reading_section(page: str) -> str:
    return page.partition("How to read a score</h2>")[2].partition("</section>")[0]


def test_what_no_sign_found_is_worth_is_said_first() -> None:
    made = create_report(
        [score(1)],
        detector="tried",
        notes=["Learnt: blends.", _MISSED],
        reading={"thresholds": {}, "missed": [_MISSED], "notes": [_TRAINED]},
        evidence=[],
    )
    section = _reading_section(render_report(made))
    places = [section.index(text) for text in ("No sign found", _MISSED, "prob_fake", "Learnt:")]
    assert places == sorted(places)
    assert section.count(_MISSED) == 1
    before, _, folded = section.partition("<details>")
    assert _TRAINED in folded.partition("</details>")[0] and _TRAINED not in before


def test_where_nobody_measured_what_is_missed_it_says_so() -> None:
    assert "How often was not measured" in _reading_section(render_report(report([score(1)])))


def test_terms_of_engineers_stand_behind_a_sentence() -> None:
    page = render_report(report([score(1)], evidence=[evidence(1)]))
    shown = re.sub(r"(?s)<details>.*?</details>", "", page)
    for term in ("PSI", "moves the log-odds", "of `train`", "temperature"):
        assert term not in shown
    assert "the odds of a fake change" in shown
    assert shown.index("the odds of a fake change") < shown.index("log-odds:")


def test_a_folder_of_scores_is_read_whole(tmp_path: Path) -> None:
    broken = score(9, status="decode_error", verdict="not_applicable", prob_fake=None)
    rows = [score(1), score(2), {**broken, "reason": "cut short"}]
    version = _write_output(tmp_path / "it's here", rows)
    kept = evidence(2)
    write_evidence(evidence_folder(version), kept.record, kept.pictures)
    found = read_report(tmp_path / "it's here", version_dir=version)
    assert found.statuses == {"ok": 2, "decode_error": 1}
    assert sum(found.histogram) == 2
    assert found.detector == "tried version 2, digest abc"
    assert list(found.failures) == [
        {
            "status": "decode_error",
            "reason": "cut short",
            "num_files": 1,
            "example": broken["uri"],
        }
    ]
    assert [i.record for i in found.evidence] == [kept.record]
    assert found.rows.columns["uri"][-1] == broken["uri"], "what has no score stands last"
    assert found.alarms == [] and set(found.thresholds.values()) == {None}
    page = write_report(tmp_path / "report.html", found).read_text(encoding="utf-8")
    assert "Scope." in page and "cut short" in page and "failures.csv" in page


def test_a_folder_with_voices_shows_them(tmp_path: Path) -> None:
    voice = {"verdict_voice": "real", "prob_fake_voice": 0.125}
    rows = [
        score(1, **voice),
        score(2, verdict_voice="not_applicable", reason_voice="no sound"),
        voice_score(3, uri=SCRIPT_NAME, reason_voice="<b>made</b>", prob_fake_voice=0.999),
    ]
    version = _write_output(tmp_path, rows)
    kept = voice_evidence(3)
    write_evidence(evidence_folder(version), kept.record, kept.pictures)
    found = read_report(tmp_path, version_dir=version)
    assert found.voice_verdicts == {"fake": 1, "real": 1, "not_applicable": 1}
    page = render_report(found)
    assert page.count("<script") == 2 and "<img" not in page and "<b>" not in page
    assert "media-src" not in page and "<audio" not in page
    assert 'class="voices"' in page and 'id="voice-totals"' in page
    data = _data(page)
    assert data["columns"]["uri"][0] == SCRIPT_NAME, (
        "the highest probability of either stands first"
    )
    assert data["columns"]["prob_fake_voice"][0] == 0.999
    verdicts = [data["names"]["verdict_voice"][n] for n in data["columns"]["verdict_voice"]]
    assert verdicts[0] == "fake" and sorted(verdicts) == ["fake", "not_applicable", "real"]
    (item,) = data["items"]
    assert len(item["voice"]["waveform"]) == 200
    assert [window["is_strongest"] for window in item["voice"]["windows"]] == [False, True]


def test_without_voices_nothing_is_said_of_them(tmp_path: Path) -> None:
    version = _write_output(tmp_path, [score(1), score(2)])
    kept = evidence(2)
    write_evidence(evidence_folder(version), kept.record, kept.pictures)
    found = read_report(tmp_path, version_dir=version)
    assert found.voice_verdicts == {} and found.voice_detector is None
    page = render_report(found)
    data = _data(page)
    assert not {"prob_fake_voice", "verdict_voice"} & data["columns"].keys()
    assert not {"verdict_voice", "reason_voice"} & data["names"].keys()
    assert 'class="voices"' not in page and "voice-totals" not in page


@pytest.mark.parametrize("content", [None, b"", b"PAR1"])
def test_what_is_no_folder_of_scores_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    version = tmp_path / "versions" / "v"
    version.mkdir(parents=True)
    if content is not None:
        (version / "scores.parquet").write_bytes(content)
    with pytest.raises(DataError):
        read_report(tmp_path, version_dir=version)


def test_a_table_of_another_version_is_refused(tmp_path: Path) -> None:
    version = _write_output(tmp_path, [score(1)])
    table = pq.read_table(version / "scores.parquet").replace_schema_metadata({})
    pq.write_table(table, version / "scores.parquet")
    with pytest.raises(DataError, match="another version"):
        read_report(tmp_path, version_dir=version)


def test_lips_and_the_file_have_totals_columns_and_a_timeline() -> None:
    lips = {"verdict_sync": "mismatch", "prob_mismatch": 0.9, "reason_sync": "lips differ"}
    joined = {"verdict_file": "fake", "prob_fake_file": 0.8, "reason_file": "lips and sound: 90.0%"}
    block = MouthBlock(pts_seconds=1.0, end_seconds=2.0, prob_mismatch=0.9, offset_seconds=0.04)
    own = evidence(1)
    sync = SyncEvidence(blocks=(block,), offset_seconds=0.2, is_out_of_sync=True)
    explained = Evidence(own.record.model_copy(update={"sync": sync}), own.pictures)
    made = report([score(1, **lips, **joined), score(2)], evidence=[explained])
    assert made.sync_verdicts == {"mismatch": 1}
    assert made.file_verdicts == {"fake": 1}
    assert made.rows.names["verdict_file"] == ["", "fake"]
    page = render_report(made)
    assert 'id="sync-totals"' in page and 'id="file-totals"' in page
    assert 'id="grid" class="files lips"' in page
    assert '"prob_mismatch":0.9' in page.replace(" ", "")
    alone = render_report(report([score(1)]))
    assert "sync-totals" not in alone and "file-totals" not in alone
