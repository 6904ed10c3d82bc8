"""Lower `real_below` on kinds of fakes that were not learnt, and count the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from deepfake.config import AggregationConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import HeadSpec
from deepfake.detectors.inference import Detector
from deepfake.errors import DataError
from deepfake.evaluation.predict import predict_crops
from deepfake.training.calibrate.file_scores import file_scores
from deepfake.training.calibrate.heads import combine_logits
from deepfake.types import Kind, Label, Verdict
from deepfake.verdicts.calibration import lower_for_unseen
from deepfake.verdicts.judgement import JudgementSettings, UnseenCorpus

__all__ = ["MAX_UNSEEN_MISS", "count_from", "count_verdicts", "judge_unseen", "predict_unseen"]

MAX_UNSEEN_MISS = 0.2
"""Share of fakes of kinds that were not learnt which may be called real."""


def count_from(before: int, on_done: Callable[[int], None]) -> Callable[[int], None]:
    """Return a callback that adds what was done before to what it is called with."""
    return lambda done: on_done(before + done)


def predict_unseen(
    detector: Detector,
    snapshots: Sequence[Snapshot],
    *,
    on_done: Callable[[int], None] = lambda _: None,
) -> dict[str, pd.DataFrame]:
    """Return the detector's columns for the labelled crops of corpora, by their names.

    Args:
        detector: The detector.
        snapshots: Of the corpora.
        on_done: Called with the number of crops done, of all corpora together.

    Raises:
        ConfigError: The crops were made otherwise than those that the detector scores.
        DataError: It learnt from one of the corpora, or one has no labelled fake.
    """
    found: dict[str, pd.DataFrame] = {}
    done = 0
    for snapshot in snapshots:
        if snapshot.corpus in detector.spec.data_digests:
            raise DataError(f"the detector learnt from {snapshot.corpus}")
        index = snapshot.index()
        labelled = index[index["label"].notna()]
        if not (labelled["label"] == str(Label.FAKE)).any():
            raise DataError(f"{snapshot.corpus} has no labelled fake with a face")
        found[snapshot.corpus] = predict_crops(
            detector, snapshot, labelled, on_done=count_from(done, on_done)
        )
        done += len(labelled)
    return found


def judge_unseen(
    settings: JudgementSettings,
    predicted: dict[str, pd.DataFrame],
    *,
    kind: Kind,
    heads: Sequence[HeadSpec],
    aggregation: AggregationConfig,
    digests: dict[str, str],
    max_miss: float = MAX_UNSEEN_MISS,
) -> JudgementSettings:
    """Lower `real_below` until few unseen fakes are called real, and count the verdicts.

    Args:
        settings: Fitted on kinds that were learnt.
        predicted: From `predict_unseen`.
        kind: Of the files.
        heads: As calibrated.
        aggregation: As chosen.
        digests: Of the snapshots, by corpus.
        max_miss: Share of the fakes of each corpus that may be called real.

    Returns:
        The settings as they were where the corpora have no file of this kind.
    """
    files = {}
    for corpus, crops in predicted.items():
        own = crops[crops["kind"] == str(kind)]
        if len(own):
            own = own.assign(logit=combine_logits(own, heads=heads))
            files[corpus] = file_scores(own, aggregation=aggregation)
    if not files:
        return settings
    fakes = [
        [
            settings.calibration.prob(score.logit)
            if settings.reason_against(score.strongest) is None
            else np.nan
            for label, score in zip(labels, scores, strict=True)
            if label == 1
        ]
        for labels, scores in files.values()
    ]
    lowered = lower_for_unseen(settings.thresholds, fakes, max_miss=max_miss)
    judged = settings.model_copy(update={"thresholds": lowered})
    counts = []
    for corpus, (labels, scores) in files.items():
        verdicts = np.array([str(judged.judge(score)[0]) for score in scores])
        counts.append(count_verdicts(corpus, verdicts, is_fake=labels == 1, digest=digests[corpus]))
    return judged.model_copy(update={"unseen": tuple(counts)})


def count_verdicts(
    corpus: str, verdicts: np.ndarray, *, is_fake: np.ndarray, digest: str
) -> UnseenCorpus:
    """Return what the files of a corpus were called.

    Args:
        corpus: Its name.
        verdicts: Of each file, as text, shape (N,).
        is_fake: Of each file, shape (N,).
        digest: Of the snapshot.
    """

    def count(verdict: Verdict, *, of_fakes: bool) -> int:
        return int(((verdicts == str(verdict)) & (is_fake == of_fakes)).sum())

    return UnseenCorpus(
        corpus=corpus,
        digest=digest,
        num_real=int((~is_fake).sum()),
        num_fake=int(is_fake.sum()),
        fakes_called_real=count(Verdict.REAL, of_fakes=True),
        fakes_called_fake=count(Verdict.FAKE, of_fakes=True),
        reals_called_real=count(Verdict.REAL, of_fakes=False),
        reals_called_fake=count(Verdict.FAKE, of_fakes=False),
    )
