"""Write an evaluation as a short Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deepfake.evaluation.corpus import weakest_slice
from deepfake.evaluation.markdown import format_metric, markdown_table
from deepfake.evaluation.result import CorpusResult, EvaluationResult, Level

__all__ = ["summary_markdown"]

_SHOWN = {
    "auc": "ROC-AUC",
    "average_precision": "average precision",
    "eer": "EER",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "false_alarm_rate": "false-alarm rate",
    "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_5": "TPR at 5 % FPR",
    "cllr": "Cllr",
    "min_cllr": "least Cllr",
}


def summary_markdown(
    result: EvaluationResult, *, title: str = "Evaluation", notes: Sequence[str] = ()
) -> str:
    """Return the page: headline first, then each corpus, undefined numbers with their reason.

    Args:
        result: The evaluation.
        title: Of the page.
        notes: What a reader of the detector's verdicts must know, a sentence each.
    """
    lines = [f"# {title}", "", *(f"> {note}\n" for note in notes), *_headlines(result), ""]
    for corpus in result.corpora.values():
        lines += _corpus_lines(corpus)
    return "\n".join(lines).rstrip() + "\n"


def _headlines(result: EvaluationResult) -> Iterator[str]:
    yield f"Crops become a file by `{result.aggregation.video}`. Intervals are 95 %."
    rows = []
    for name, corpus in result.corpora.items():
        head = corpus.headline
        interval = _interval((head.auc_low, head.auc_high))
        rows.append(
            [
                name,
                str(corpus.n_files),
                f"{format_metric(head.auc)}{interval}",
                f"{head.basis} ({head.n_pairs} pairs)",
                format_metric(head.unmatched_auc),
                f"{format_metric(corpus.headline_accuracy)}{_interval(corpus.rate_interval)}",
            ]
        )
    yield ""
    yield from markdown_table(
        ["corpus", "files", "headline AUC", "basis", "AUC of all", "accuracy of every file"], rows
    )
    if len(result.corpora) > 1:
        auc, count = result.averages.get("video_auc"), result.average_counts.get("video_auc", 0)
        yield ""
        yield f"Mean AUC over {count} corpora of both classes: {format_metric(auc)}. Never pooled."


def _corpus_lines(corpus: CorpusResult) -> Iterator[str]:
    yield f"## {corpus.corpus}"
    yield ""
    statuses = ", ".join(f"{count} {name}" for name, count in corpus.statuses.items())
    yield (
        f"{corpus.n_files} labelled files ({statuses}); {corpus.n_unlabelled} unlabelled and "
        f"{corpus.n_missing} missing ones are not evaluated."
    )
    if corpus.headline.why:
        yield f"Headline: {corpus.headline.why}."
    yield (
        f"Accuracy of every file {format_metric(corpus.headline_accuracy)}; of the files with a "
        f"verdict {format_metric(corpus.selective_accuracy)} at a coverage of "
        f"{format_metric(corpus.coverage)}."
    )
    if corpus.own_real.rate is not None:
        yield (
            f"{format_metric(corpus.own_real.rate)} of the {corpus.own_real.pairs} fakes whose own "
            f"real is here score above it; of fakes there are {corpus.own_real.num_fakes}."
        )
    if corpus.uncertain_reasons:
        reasons = ", ".join(
            f"{count} because {why}" for why, count in corpus.uncertain_reasons.items()
        )
        yield f"Uncertain: {format_metric(corpus.uncertain)} of the files with a score; {reasons}."
    yield ""
    yield from _levels(corpus)
    yield ""
    yield from _matching(corpus)
    shares = ", ".join(
        f"{format_metric(p)} at {float(s):.0%}" for s, p in corpus.precision_at.items()
    )
    yield f"Precision by the share of fakes that is met: {shares}."
    yield ""
    yield from _slices(corpus)


def _levels(corpus: CorpusResult) -> Iterator[str]:
    levels = {"files": corpus.files, "frames": corpus.frames, "matched files": corpus.matched.level}
    shown = {name: level for name, level in levels.items() if level is not None}
    counts = [f"{lv.metrics.n_real} + {lv.metrics.n_fake}" for lv in shown.values()]
    rows = [["n (real + fake)", *counts]]
    rows += [[text, *(_cell(lv, name) for lv in shown.values())] for name, text in _SHOWN.items()]
    yield from markdown_table(["", *shown], rows)
    yield ""
    reasons = {
        f"{_SHOWN.get(name, name)} of {level_name}: {reason}"
        for level_name, level in shown.items()
        for name, reason in level.metrics.why.items()
    }
    if corpus.files.intervals.draws == 0:
        reasons.add(f"intervals of files: {next(iter(corpus.files.intervals.why.values()))}")
    yield from (f"- {reason}" for reason in sorted(reasons))


def _cell(level: Level, name: str) -> str:
    value = getattr(level.metrics, name)
    return (
        "undefined"
        if value is None
        else format_metric(value) + _interval(level.intervals.values.get(name))
    )


def _matching(corpus: CorpusResult) -> Iterator[str]:
    matched = corpus.matched
    yield (
        f"Matched test: {matched.n_pairs} pairs out of {matched.n_real} reals and {matched.n_fake} "
        f"fakes, alike within {matched.caliper:g} standard deviations."
    )
    for name, gap in matched.gap_before.items():
        after, alone = matched.gap_after.get(name), matched.auc_of_covariates.get(name)
        yield (
            f"- `{name}`: fakes less reals {format_metric(gap)} sd before, {format_metric(after)} "
            f"after; alone it tells the pairs apart with AUC {format_metric(alone)}"
        )
    yield ""


def _slices(corpus: CorpusResult) -> Iterator[str]:
    rows = [
        [
            f"{part.by} {part.value}",
            str(part.n),
            str(part.n_scored),
            f"{part.rate_of} {format_metric(part.rate)}{_interval((part.low, part.high))}",
            format_metric(part.auc),
        ]
        for part in corpus.slices
    ]
    if rows:
        yield from markdown_table(
            ["part", "files", "with a score", "rate (no score is wrong)", "AUC"], rows
        )
        yield ""
    weakest = weakest_slice(corpus.slices)
    if weakest is not None:
        yield (
            f"Weakest where `{weakest.by}` is {weakest.value}: {weakest.rate_of} "
            f"{format_metric(weakest.rate)}{_interval((weakest.low, weakest.high))}, n {weakest.n}."
        )
        yield ""


def _interval(ends: tuple[float | None, float | None] | None) -> str:
    if ends is None or ends[0] is None or ends[1] is None:
        return ""
    return f" ({ends[0]:.3f} to {ends[1]:.3f})"
