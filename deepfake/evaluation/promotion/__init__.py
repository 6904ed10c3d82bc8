"""Whether a challenger takes the champion's place: a policy, evidence, and a decision with reasons.

Nothing here trains, registers or promotes: numbers go in, and a decision comes out.
"""

from deepfake.evaluation.promotion.costs import CostComparison, compare_costs
from deepfake.evaluation.promotion.decide import decide
from deepfake.evaluation.promotion.decision import (
    Check,
    ComparedPart,
    ComparedSlice,
    Contender,
    Decision,
    read_decision,
    write_decision,
)
from deepfake.evaluation.promotion.markdown import decision_markdown
from deepfake.evaluation.promotion.measurements import Evidence, MeasuredPair, measure_pair
from deepfake.evaluation.promotion.policy import DEFAULT_POLICY, PromotionPolicy, load_policy

__all__ = [
    "DEFAULT_POLICY",
    "Check",
    "ComparedPart",
    "ComparedSlice",
    "Contender",
    "CostComparison",
    "Decision",
    "Evidence",
    "MeasuredPair",
    "PromotionPolicy",
    "compare_costs",
    "decide",
    "decision_markdown",
    "load_policy",
    "measure_pair",
    "read_decision",
    "write_decision",
]
