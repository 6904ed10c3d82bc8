"""A champion and its challenger: decide between them once, and keep the decision in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepfake.corpora.held_out import HeldOutSet, record_use
from deepfake.detectors.open_bundle import AnyBundle
from deepfake.detectors.voice_bundle import modality_of_bundle
from deepfake.errors import DataError
from deepfake.evaluation.promotion.apply_policy import decide
from deepfake.evaluation.promotion.champion import Champion
from deepfake.evaluation.promotion.decision import (
    Contender,
    Decision,
    read_decision,
    write_decision,
)
from deepfake.evaluation.promotion.markdown import decision_markdown
from deepfake.evaluation.promotion.measurements import Measurements
from deepfake.evaluation.promotion.policy import PromotionPolicy
from deepfake.storage import DataRoot, write_text

__all__ = ["Challenge", "save_decision"]

_JSON, _PAGE = "decision.json", "decision.md"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a decision is asked for.

    Attributes:
        champion: Who is challenged.
        challenger: Who was trained.
        name: The challenger's registered model.
        policy: The limits that the challenger must keep.
        held_out: The held-out set that decides; None for none.
        folder: Where the decision is kept.
    """

    champion: Champion
    challenger: AnyBundle
    name: str
    policy: PromotionPolicy
    held_out: HeldOutSet | None
    folder: Path

    def earlier_decision(self) -> Decision | None:
        """Return the decision that an earlier run came to, if it asked the same of the same."""
        path = self.folder / _JSON
        try:
            kept = read_decision(path) if path.is_file() else None
        except DataError:
            return None
        if kept is None:
            return None
        wanted = (self.policy, self._held_out_digest, self.challenger.digest)
        found = (kept.policy, kept.held_out_digest, kept.challenger.digest)
        return kept if wanted == found else None

    def decide(self, measurements: Measurements, *, root: DataRoot) -> Decision:
        """Record the use of the held-out set, and return the decision.

        Args:
            measurements: Of both.
            root: The data root, which counts uses.
        """
        return decide(
            self.policy,
            measurements,
            champion=self.champion.contender,
            challenger=Contender(name=self.name, version=None, digest=self.challenger.digest),
            data_digests=self.challenger.spec.data_digests,
            held_out_digest=self._held_out_digest,
            num_uses=self._record_use(root),
            modality=modality_of_bundle(self.challenger.path),
        )

    @property
    def _held_out_digest(self) -> str | None:
        return None if self.held_out is None else self.held_out.digest

    def _record_use(self, root: DataRoot) -> int:
        if self.held_out is None:
            return 0
        detectors = (self.champion.bundle.digest, self.challenger.digest)
        return record_use(root, self.held_out.name, detectors=detectors, command="retrain")


def save_decision(decision: Decision, folder: Path) -> str:
    """Write a decision as a page, and then for programs; return the page."""
    markdown = decision_markdown(decision)
    write_text(folder / _PAGE, markdown)
    write_decision(folder / _JSON, decision)
    return markdown
