"""Fill the tables of the model card from the results of the programs beside this one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks.detectors.generalisation_table import generalisation_lines
from deepfake.evaluation import format_metric

__all__ = ["fill_tables"]

_PLACE = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end -->", re.DOTALL)

_STILL_ROWS = {
    "auc": "ROC-AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "ece": "ECE",
}
_CHOSEN_ON = {
    "still": "stills",
    "still_crowd": "stills, crowds",
    "video": "clips made of stills",
    "video_crowd": "clips, crowds",
}
_VIDEO_NAMES = {
    "ff": "FaceForensics++",
    "celebdf": "Celeb-DF-v2",
    "dfdc": "DFDC",
    "talking-heads": "talking heads, presumed real",
}


def fill_tables(text: str, found: Mapping[str, Any]) -> str:
    """Return a page with its tables, between `<!-- table: NAME -->` and `<!-- end -->`, filled.

    Args:
        text: The page.
        found: The results; a table whose results are missing stays as it is.
    """

    def fill(match: re.Match[str]) -> str:
        make = _TABLES.get(match.group(1))
        rows = None if make is None else make(found)
        if rows is None:
            return match.group(0)
        return f"<!-- table: {match.group(1)} -->\n" + "\n".join(rows) + "\n<!-- end -->"

    return _PLACE.sub(fill, text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    names = list(head)
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _stills(found: Mapping[str, Any]) -> list[str] | None:
    evaluation = found.get("evaluations", {}).get("openforensics")
    if evaluation is None:
        return None
    report = evaluation["report"]
    files, matched = report["files"], report["matched"]["level"]
    rows = [["real + fake with a score", _counts(files), _counts(matched)]]
    for name, text in _STILL_ROWS.items():
        rows.append([text, _value(files, name), _value(matched, name)])
    accuracy = _interval(report["headline_accuracy"], report["rate_interval"])
    rows.append(
        [f"accuracy of all {report['n_files']}, one without a score being wrong", accuracy, ""]
    )
    rows.append(["uncertain, of those with a score", format_metric(report["uncertain"]), ""])
    rows.append(
        ["accuracy of the verdicts real and fake", format_metric(report["selective_accuracy"]), ""]
    )
    card = found.get("card", {})
    network = f"`{card.get('architecture')}`, heads: {len(card.get('heads', ()))}"
    head = [network, "all", "matched by face size and sharpness"]
    return _table(head, rows)


def _videos(found: Mapping[str, Any]) -> list[str] | None:
    evaluations = found.get("evaluations", {})
    rows = []
    for corpus, name in _VIDEO_NAMES.items():
        if corpus not in evaluations:
            continue
        report = evaluations[corpus]["report"]
        metrics = report["files"]["metrics"]
        counts = f"{metrics['n_real']} + {metrics['n_fake']}"
        own = report["own_real"]
        rows.append(
            [
                name,
                counts,
                format_metric(metrics["auc"]),
                "none has its own"
                if own["rate"] is None
                else f"{own['rate']:.2f} of {own['pairs']}",
                _verdicts(report, "fake"),
                _verdicts(report, "real"),
                _verdicts(report, "uncertain"),
            ]
        )
    head = [
        "corpus",
        "real + fake",
        "video AUC",
        "fake scores above its source",
        "called fake",
        "called real",
        "uncertain",
    ]
    return _table(head, rows) if rows else None


def _verdicts(report: Mapping[str, Any], verdict: str) -> str:
    counts = report["verdicts"]
    parts = [
        f"{counts[label].get(verdict, 0)} of {sum(counts[label].values())} {label}"
        for label in ("real", "fake")
        if counts.get(label)
    ]
    return ", ".join(parts)


def _robustness(found: Mapping[str, Any]) -> list[str] | None:
    robustness = found.get("robustness")
    if robustness is None:
        return None
    rows = [
        [
            "as it is" if row["name"] == "clean" else f"{row['name']} {row['value']:g}",
            str(row["n"]),
            str(row["n_scored"]),
            _interval(row["accuracy"], (row["accuracy_low"], row["accuracy_high"])),
            _interval(row["auc"], (row["auc_low"], row["auc_high"])),
            format_metric(row["uncertain"]),
        ]
        for row in [*robustness["every_file"]["conditions"], *robustness["sweep"]["conditions"]]
    ]
    head = ["frames", "files", "with a face", "accuracy of every file", "AUC", "uncertain"]
    return _table(head, rows)


def _slices(found: Mapping[str, Any]) -> list[str] | None:
    evaluation = found.get("evaluations", {}).get("openforensics")
    if evaluation is None:
        return None
    rows = [
        [
            f"{part['by']} {part['value']}",
            str(part["n"]),
            part["rate_of"],
            _interval(part["rate"], (part["low"], part["high"])),
        ]
        for part in evaluation["report"]["slices"]
        if part["by"] in ("face_px", "sharpness", "brightness", "yaw", "people")
    ]
    return _table(["part of the test stills", "files", "", "called right"], rows)


def _aggregation(found: Mapping[str, Any]) -> list[str] | None:
    metrics = found.get("calibration", {})
    prefix = "val_choosing_"
    names = sorted(
        {k.split("_auc_", 1)[1] for k in metrics if k.startswith(prefix) and "_auc_" in k}
    )
    if not names:
        return None
    rows = [
        [
            f"`{name}`",
            *(format_metric(metrics.get(f"{prefix}{kind}_auc_{name}")) for kind in _CHOSEN_ON),
        ]
        for name in names
    ]
    return _table(["way of adding up, AUC", *_CHOSEN_ON.values()], rows)


def _people(found: Mapping[str, Any]) -> list[str] | None:
    metrics = found.get("calibration", {})
    names = {"still": "stills", "video": "clips made of stills"}
    counts = sorted(
        {int(k.split("_")[-2]) for k in metrics if "_false_alarm_" in k and k.endswith("_people")}
    )
    if not counts:
        return None
    rows = [
        [text]
        + [
            format_metric(metrics.get(f"val_calibration_{kind}_false_alarm_{n}_people"))
            for n in counts
        ]
        for kind, text in names.items()
    ]
    return _table(["reals called fake", *(f"{n} people" for n in counts)], rows)


def _ablation(found: Mapping[str, Any]) -> list[str] | None:
    rows = found.get("ablation")
    if rows is None:
        return None
    return _table(
        [
            "network",
            "begins with",
            "fakes learnt",
            "parameters, M",
            "ms a face",
            "CPU minutes",
            "AUC on all of val",
            "matched by face size and sharpness",
            "AUC on val blends",
        ],
        [
            [
                f"`{row['model']}`",
                row["begins_with"],
                row["method"],
                *([row["why"]] + [""] * 5 if row["why"] else _ablation_cells(row)),
            ]
            for row in rows
        ],
    )


def _ablation_cells(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['parameters'] / 1e6:.1f}",
        f"{row['ms_a_face']:.1f}",
        f"{row['cpu_minutes']:.1f}",
        _interval(row["auc"], (row["auc_low"], row["auc_high"])),
        f"{format_metric(row['matched_auc'])} ({row['matched_pairs']} pairs)",
        "not learnt" if row["val_blends_auc"] is None else format_metric(row["val_blends_auc"]),
    ]


def _precision(found: Mapping[str, Any]) -> list[str] | None:
    evaluation = found.get("evaluations", {}).get("openforensics")
    if evaluation is None:
        return None
    shares = evaluation["report"]["precision_at"]
    rows = [
        [f"{float(s):.0%}", format_metric(shares[s])]
        for s in sorted(shares, key=float, reverse=True)
    ]
    return _table(["fakes among the files", "true, of those over the threshold"], rows)


def _cost(found: Mapping[str, Any]) -> list[str] | None:
    cost = found.get("cost")
    if cost is None:
        return None
    took, ratio = cost["cpu_ms_a_face"], cost["ratio"]
    spread = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f}, n {ratio['n']})"
    return _table(
        [
            "all networks and novelty, CPU ms a face",
            "the first network alone",
            "ratio (lowest to highest)",
        ],
        [[f"{took['packaged']:.1f}", f"{took['single_head']:.1f}", spread]],
    )


def _self_blends(found: Mapping[str, Any]) -> list[str] | None:
    rows = found.get("self_blends")
    if rows is None:
        return None
    return _table(
        ["made without", "AUC on val blends made with all", "AUC on val fakes, not learnt"],
        [
            [
                row["without"],
                f"{format_metric(row['blends_auc'])} ({row['num_reals']} + {row['num_blends']})",
                _interval(row["auc"], (row["auc_low"], row["auc_high"])),
            ]
            for row in rows
        ],
    )


def _counts(level: Mapping[str, Any] | None) -> str:
    return (
        "none" if level is None else f"{level['metrics']['n_real']} + {level['metrics']['n_fake']}"
    )


def _value(level: Mapping[str, Any] | None, name: str) -> str:
    if level is None:
        return ""
    return _interval(level["metrics"][name], level["intervals"]["values"].get(name))


def _interval(value: float | None, ends: Any) -> str:
    if value is None or not ends or ends[0] is None or ends[1] is None:
        return format_metric(value)
    return f"{format_metric(value)} ({ends[0]:.3f} to {ends[1]:.3f})"


_TABLES: dict[str, Callable[[Mapping[str, Any]], list[str] | None]] = {
    "stills": _stills,
    "videos": _videos,
    "precision": _precision,
    "cost": _cost,
    "robustness": _robustness,
    "slices": _slices,
    "aggregation": _aggregation,
    "people": _people,
    "ablation": _ablation,
    "self_blends": _self_blends,
    "generalisation": generalisation_lines,
}
