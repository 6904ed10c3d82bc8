"""Decide whether a challenger becomes champion: a policy, measurements, a decision with reasons.

Nothing here trains, registers or promotes: numbers go in, and a decision comes out.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evaluation.promotion.compared_files import ComparedFiles, files_to_compare
    from deepfake.evaluation.promotion.costs import (
        CostComparison,
        compare_costs,
        measure_bundle_costs,
    )
    from deepfake.evaluation.promotion.decide import decide
    from deepfake.evaluation.promotion.decision import (
        ComparedPart,
        ComparedSlice,
        Contender,
        Decision,
        PolicyCheck,
        read_decision,
        write_decision,
    )
    from deepfake.evaluation.promotion.markdown import decision_markdown
    from deepfake.evaluation.promotion.measurements import MeasuredPair, Measurements, measure_pair
    from deepfake.evaluation.promotion.policy import DEFAULT_POLICY, PromotionPolicy, load_policy
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "DEFAULT_POLICY",
    "ComparedFiles",
    "ComparedPart",
    "ComparedSlice",
    "Contender",
    "CostComparison",
    "Decision",
    "MeasuredPair",
    "Measurements",
    "PolicyCheck",
    "PromotionPolicy",
    "compare_costs",
    "decide",
    "decision_markdown",
    "files_to_compare",
    "load_policy",
    "measure_bundle_costs",
    "measure_pair",
    "read_decision",
    "write_decision",
]
