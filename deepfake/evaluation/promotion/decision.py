"""The record of a decision: complete, and readable without this program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationError,
)

from deepfake.config import Modality, StoredRecord, first_problem
from deepfake.errors import DataError
from deepfake.evaluation.promotion.policy import PromotionPolicy
from deepfake.storage import read_json, write_json

__all__ = [
    "AucComparison",
    "ComparedSlice",
    "Contender",
    "Decision",
    "PolicyCheck",
    "read_decision",
    "write_decision",
]


class Contender(StoredRecord):
    """One of the two detectors.

    Attributes:
        name: Of the registered model.
        version: Of the registered model; None while it has none.
        digest: Of the bundle.
    """

    name: str
    version: str | None
    digest: str

    def __str__(self) -> str:
        version = "not registered" if self.version is None else f"version {self.version}"
        return f"{self.name} {version}, digest {self.digest}"


class PolicyCheck(StoredRecord):
    """One limit of the policy.

    Attributes:
        name: Which.
        state: `unknown` where it could not be measured; nothing is promoted on that.
        reason: Why, a sentence; files written until version 0.1 call it `told`.
    """

    name: Literal["gain", "regression", "calibration", "cost"]
    state: Literal["passed", "failed", "unknown"]
    reason: str = Field(validation_alias=AliasChoices("reason", "told"))


class AucComparison(StoredRecord):
    """Both detectors on one split of one corpus.

    Attributes:
        name: What it is.
        basis: `matched` (paired by face size and sharpness), or `all`.
        n: Files with a score.
        n_groups: Groups that the interval was drawn from.
        champion: AUC; None where undefined.
        challenger: AUC.
        difference: Challenger less champion.
        low: Lower end of its 95 % interval; None where not estimable.
        high: Upper end.
        is_headline: Whether this basis counts.
    """

    name: str
    basis: Literal["matched", "all"]
    n: int
    n_groups: int
    champion: float | None
    challenger: float | None
    difference: float | None
    low: float | None
    high: float | None
    is_headline: bool


class ComparedSlice(StoredRecord):
    """Both detectors on a slice.

    Attributes:
        part: Of which part.
        slice: Which, such as `method swap`.
        measure: `auc`, or `specificity` of reals.
        n: Files of its rarer class.
        champion: The champion's.
        challenger: The challenger's.
        difference: Challenger less champion.
        low: Lower end of its 95 % interval; None where not estimable.
        high: Upper end.
        is_judged: Whether it is large enough to be judged.
    """

    part: str
    slice: str
    measure: Literal["auc", "specificity"]
    n: int
    champion: float
    challenger: float
    difference: float
    low: float | None
    high: float | None
    is_judged: bool


def _present_names(cost: Any) -> Any:
    """Return a comparison of costs with the names of now; files until version 0.1 are of faces."""
    if not isinstance(cost, dict) or "num_faces" not in cost:
        return cost
    rest = {name: value for name, value in cost.items() if name != "num_faces"}
    return {**rest, "num_inputs": cost["num_faces"], "unit": "face"}


class Decision(StoredRecord):
    """What was decided about a challenger, and why.

    Attributes:
        outcome: `promoted`; `kept`: the champion stays; `no_held_out_set`: no held-out set decides.
        champion: The champion until then.
        challenger: The detector that was tried.
        policy: The limits that the challenger had to keep.
        held_out_digest: Of the held-out set; None without one.
        num_looks: How often detectors were measured on the held-out set, this time included.
        checks: Each limit of the policy, and whether it was kept.
        parts: Both on each part.
        slices: Both on each slice.
        ece: Expected calibration error of both on the held-out set.
        modality: What the detectors are of.
        cost: Milliseconds a face or a window of speech of both, and their ratio; None where it was
            not measured.
        data_digests: Snapshots that the challenger learnt from.
        notes: What a reader must know, a sentence each.
        decided_at: ISO 8601, UTC.
    """

    schema_version: Literal[1] = 1
    outcome: Annotated[
        Literal["promoted", "kept", "no_held_out_set"],
        # Files written until version 0.1 say `benchmark` for held-out set, here and in fields.
        BeforeValidator(lambda v: "no_held_out_set" if v == "no_benchmark" else v),
    ]
    modality: Modality = "faces"
    champion: Contender
    challenger: Contender
    policy: PromotionPolicy
    held_out_digest: str | None = Field(
        validation_alias=AliasChoices("held_out_digest", "benchmark_digest")
    )
    num_looks: int = Field(ge=0)
    checks: tuple[PolicyCheck, ...]
    parts: tuple[AucComparison, ...]
    slices: tuple[ComparedSlice, ...]
    ece: tuple[float | None, float | None] | None
    cost: Annotated[dict[str, float | int | str] | None, BeforeValidator(_present_names)]
    data_digests: dict[str, str]
    notes: tuple[str, ...]
    decided_at: str

    @property
    def reasons(self) -> list[str]:
        """The checks that did not pass; all of them where each did."""
        against = [check.reason for check in self.checks if check.state != "passed"]
        return against or [check.reason for check in self.checks]


def write_decision(path: Path, decision: Decision) -> Path:
    """Write a decision as JSON, whole or not at all."""
    return write_json(path, decision.model_dump(mode="json"))


def read_decision(path: Path) -> Decision:
    """Read a decision.

    Raises:
        DataError: The file is missing, damaged, or of another schema version.
    """
    value: Any = read_json(path)
    try:
        return Decision.model_validate(value)
    except ValidationError as error:
        raise DataError(
            f"not a decision of this version ({first_problem(error)})", path=path
        ) from error
