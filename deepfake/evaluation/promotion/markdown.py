"""Write a decision as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake.evaluation import markdown_table
from deepfake.evaluation.promotion.decision import Decision

__all__ = ["decision_markdown"]

_HEADINGS = {
    "promoted": "The challenger becomes champion.",
    "kept": "The champion stays.",
    "no_held_out_set": "Not decided: there is no held-out set. The champion stays.",
}
_MARKS = {"passed": "yes", "failed": "no", "unknown": "not known"}


def decision_markdown(decision: Decision) -> str:
    """Return a decision as a page for people: what was decided, why, and every number."""
    return "\n".join(_lines(decision)).rstrip() + "\n"


def _lines(decision: Decision) -> Iterator[str]:
    yield f"# {_HEADINGS[decision.outcome]}"
    yield ""
    yield f"- detectors of: {decision.modality}"
    yield f"- challenger: {decision.challenger}"
    yield f"- champion: {decision.champion}"
    learnt = ", ".join(f"{name} at {digest}" for name, digest in decision.data_digests.items())
    yield f"- learnt from: {learnt}"
    if decision.policy.held_out is not None:
        yield (
            f"- held-out set: {decision.policy.held_out}, measurements on it so far: "
            f"{decision.num_looks}; the more, the less a small gain means"
        )
    yield f"- decided at {decision.decided_at}"
    yield ""
    yield from markdown_table(
        ["limit", "kept", "measured"],
        ([check.name, _MARKS[check.state], check.reason] for check in decision.checks),
    )
    yield from (f"\n> {note}" for note in decision.notes)
    yield from _parts(decision)
    yield from _slices(decision)
    yield from _more(decision)


def _parts(decision: Decision) -> Iterator[str]:
    if not decision.parts:
        return
    yield ""
    yield "## AUC of both on the same files"
    yield ""
    yield "Paired bootstrap over groups, 95 %; over 0 is in favour of the challenger."
    yield ""
    rows = [
        [
            f"{part.name}, {part.basis}{' (counts)' if part.is_headline else ''}",
            str(part.n),
            str(part.n_groups),
            _number(part.champion),
            _number(part.challenger),
            _difference(part.difference, part.low, part.high),
        ]
        for part in decision.parts
    ]
    head = ["files", "n", "groups", "champion", "challenger", "difference"]
    yield from markdown_table(head, rows)


def _slices(decision: Decision) -> Iterator[str]:
    if not decision.slices:
        return
    yield ""
    yield "## Slice by slice"
    yield ""
    yield (
        f"The worst first. A slice of fewer than {decision.policy.min_slice_files} files of its "
        "rarer class is not judged."
    )
    yield ""
    rows = [
        [
            f"{found.slice} of {found.part}",
            found.measure,
            f"{found.n}{'' if found.is_judged else ', not judged'}",
            _number(found.champion),
            _number(found.challenger),
            _difference(found.difference, found.low, found.high),
        ]
        for found in sorted(decision.slices, key=lambda found: found.difference)
    ]
    head = ["slice", "measure", "n", "champion", "challenger", "difference"]
    yield from markdown_table(head, rows)


def _more(decision: Decision) -> Iterator[str]:
    cost = decision.cost
    if cost is not None:
        yield ""
        yield (
            f"A {cost['unit']} costs the champion {cost['first_ms']:.2f} ms and the challenger "
            f"{cost['second_ms']:.2f} ms ({cost['clock']} time, {cost['rounds']} rounds of "
            f"{cost['num_inputs']} {cost['unit']}s in turns)."
        )
    yield ""
    limits = decision.policy.model_dump(exclude={"held_out"})
    yield "Policy: " + ", ".join(f"{name} {value:g}" for name, value in limits.items()) + "."


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _difference(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "undefined"
    ends = "not estimable" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"
    return f"{value:+.4f} ({ends})"
