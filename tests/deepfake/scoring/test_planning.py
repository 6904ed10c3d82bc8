"""Which parts of a folder's scores are taken over from an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deepfake.manifest import ManifestRow
from deepfake.scoring import DetectorIdentity, ScorerSetup, plan_scoring, score_batch
from deepfake.types import Kind, Status
from deepfake.workers import Failure
from tests.product import make_detector


class _Failing:
    """Workers in which every file ends in one way."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def map(self, _: Callable[..., Any], items: Sequence[Any]) -> Iterator[Failure]:
        return (Failure(self.status, "Tried", "did not work") for _ in items)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> ScorerSetup:
    return ScorerSetup(DetectorIdentity(make_detector(tmp_path_factory.mktemp("d") / "b"), "d"))


@pytest.mark.parametrize(
    ("status", "is_done_again"), [(Status.TIMEOUT, True), (Status.DECODE_ERROR, False)]
)
def test_what_may_pass_is_done_again_when_asked_for(
    setup: ScorerSetup, tmp_path: Path, status: Status, is_done_again: bool
) -> None:
    rows = [ManifestRow("/media/a.mp4", "media", media_id="a" * 64, kind=Kind.VIDEO)]
    (batch,), finished, uris = plan_scoring(tmp_path, rows, setup)
    assert finished == frozenset()
    workers: Any = _Failing(status)
    assert score_batch(tmp_path, batch, uris=uris, setup=setup, workers=workers) == {status: 1}
    assert plan_scoring(tmp_path, rows, setup)[1] == {batch.key}
    again = plan_scoring(tmp_path, rows, setup, is_retrying_failed=True)[1]
    assert (batch.key not in again) == is_done_again
