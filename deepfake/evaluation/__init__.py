"""Evaluate a detector on labelled files: metrics, the matched test, figures, reports."""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evaluation.comparison import (
        SliceComparison,
        compare_evaluations,
        compare_slices,
        compare_tables,
        comparison_json,
        comparison_markdown,
    )
    from deepfake.evaluation.evaluate import evaluate_predictions
    from deepfake.evaluation.figures import write_figures
    from deepfake.evaluation.markdown import format_metric, markdown_table
    from deepfake.evaluation.matched_pairs import MatchedPairs, match_pairs
    from deepfake.evaluation.output import write_evaluation
    from deepfake.evaluation.result import (
        CorpusResult,
        EvaluationResult,
        Headline,
        Level,
        MatchedResult,
        Slice,
        write_evaluation_json,
    )
    from deepfake.evaluation.summary_page import summary_markdown
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "CorpusResult",
    "EvaluationResult",
    "Headline",
    "Level",
    "MatchedPairs",
    "MatchedResult",
    "Slice",
    "SliceComparison",
    "compare_evaluations",
    "compare_slices",
    "compare_tables",
    "comparison_json",
    "comparison_markdown",
    "evaluate_predictions",
    "format_metric",
    "markdown_table",
    "match_pairs",
    "summary_markdown",
    "write_evaluation",
    "write_evaluation_json",
    "write_figures",
]
