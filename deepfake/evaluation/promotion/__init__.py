"""Decide whether a challenger becomes champion: a policy, measurements, a decision with reasons.

`decide` takes numbers and gives a decision; `publish` takes it to the registry.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evaluation.promotion.apply_policy import decide
    from deepfake.evaluation.promotion.challenge import Challenge, save_decision
    from deepfake.evaluation.promotion.champion import Champion, find_champion
    from deepfake.evaluation.promotion.compared_files import ComparedFiles, files_to_compare
    from deepfake.evaluation.promotion.costs import (
        CostComparison,
        compare_costs,
        measure_bundle_costs,
    )
    from deepfake.evaluation.promotion.decision import (
        AucComparison,
        ComparedSlice,
        Contender,
        Decision,
        PolicyCheck,
        read_decision,
        write_decision,
    )
    from deepfake.evaluation.promotion.markdown import decision_markdown
    from deepfake.evaluation.promotion.measurements import (
        MeasuredPair,
        Measurements,
        gather_measurements,
        measure_pair,
        measure_voice_pair,
    )
    from deepfake.evaluation.promotion.policy import DEFAULT_POLICY, PromotionPolicy, load_policy
    from deepfake.evaluation.promotion.publish import (
        assign_alias,
        decision_key,
        decision_metrics,
        decision_tags,
        version_tags,
    )
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "DEFAULT_POLICY",
    "AucComparison",
    "Challenge",
    "Champion",
    "ComparedFiles",
    "ComparedSlice",
    "Contender",
    "CostComparison",
    "Decision",
    "MeasuredPair",
    "Measurements",
    "PolicyCheck",
    "PromotionPolicy",
    "assign_alias",
    "compare_costs",
    "decide",
    "decision_key",
    "decision_markdown",
    "decision_metrics",
    "decision_tags",
    "files_to_compare",
    "find_champion",
    "gather_measurements",
    "load_policy",
    "measure_bundle_costs",
    "measure_pair",
    "measure_voice_pair",
    "read_decision",
    "save_decision",
    "version_tags",
    "write_decision",
]
