"""Evaluate logits and outcomes, corpus by corpus."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from deepfake.config import AggregationConfig
from deepfake.errors import DataError
from deepfake.evaluation.corpus import evaluate_corpus
from deepfake.evaluation.matched_pairs import MatchedPairs, match_pairs
from deepfake.evaluation.result import CorpusResult, EvaluationResult, flat_metrics
from deepfake.evaluation.tables import file_table, frame_table
from deepfake.types import Kind, Status
from deepfake.verdicts.judgement import JudgementSettings, judgement_for

__all__ = ["evaluate_predictions"]

_COUNTS = ("n_files", "matched_pairs", "own_real_pairs", "_n", "_n_real", "_n_fake")


def evaluate_predictions(
    *,
    crops: pd.DataFrame,
    outcomes: pd.DataFrame,
    aggregation: AggregationConfig,
    judgement: Mapping[str, JudgementSettings],
    seed: int = 0,
) -> EvaluationResult:
    """Evaluate a detector's logits on labelled files, corpus by corpus.

    Args:
        crops: A row a crop: the columns of the index, and `logit`.
        outcomes: A row a file, the failed ones too; those without a label are counted only.
        aggregation: How crops become a file.
        judgement: By kind of evidence, as `DetectorSpec` has it.
        seed: Of the bootstrap.

    Raises:
        ConfigError: A file is of a kind that is not judged.
        DataError: No labelled file, or crops and outcomes do not fit.
    """
    kinds = [Kind(kind) for kind in crops["kind"].unique()]
    settings = {kind: judgement_for(judgement, kind) for kind in kinds}
    crops = _under_all_names(crops, outcomes)
    files = file_table(crops, outcomes, aggregation=aggregation, settings=settings)
    if files.empty:
        raise DataError(f"none of {len(outcomes)} files has a label: there is nothing to evaluate")
    frames = frame_table(crops, files, settings=settings)
    thresholds = {kind: chosen.thresholds for kind, chosen in settings.items()}
    corpora: dict[str, CorpusResult] = {}
    tables: list[pd.DataFrame] = []
    for name, rows in files.groupby("corpus", sort=True):
        own = rows.reset_index(drop=True)
        pairs = match_pairs(own)
        tables.append(_with_pairs(own, pairs))
        corpora[str(name)] = evaluate_corpus(
            str(name),
            files=own,
            pairs=pairs,
            frames=frames[frames["corpus"] == name].reset_index(drop=True),
            outcomes=outcomes[outcomes["corpus"] == name],
            thresholds=thresholds,
            seed=seed,
        )
    averages, counts = _averages_of(corpora)
    return EvaluationResult(
        corpora=corpora,
        averages=averages,
        average_counts=counts,
        aggregation=aggregation,
        settings={
            "judgement": dict(judgement),
            "seed": seed,
        },
        table=pd.concat(tables, ignore_index=True),
    )


def _under_all_names(crops: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Repeat the crops of a content under its other names: an index holds them under one."""
    named = ["corpus", "media_id", "uri"]
    others = outcomes.loc[outcomes["status"] == Status.OK, named].merge(
        crops[named].drop_duplicates(), how="left", on=named, indicator=True
    )
    others = others.loc[others["_merge"] == "left_only", named]
    copies = crops.drop(columns="uri").merge(others, on=["corpus", "media_id"])
    return pd.concat([crops, copies], ignore_index=True) if len(copies) else crops


def _with_pairs(files: pd.DataFrame, pairs: MatchedPairs) -> pd.DataFrame:
    pair_id = np.full(len(files), -1, dtype=np.int64)
    pair_id[pairs.real_rows] = pair_id[pairs.fake_rows] = np.arange(pairs.n_pairs)
    column = pd.array(pair_id, dtype="Int64")
    column[pair_id < 0] = pd.NA
    return files.assign(pair_id=column)


def _averages_of(
    corpora: dict[str, CorpusResult],
) -> tuple[dict[str, float | None], dict[str, int]]:
    # A mean over corpora, each one vote; a pool would compare corpora instead of fakes. The
    # interval of a mean is not the mean of intervals: with several corpora there is none.
    flat = [flat_metrics(corpus) for corpus in corpora.values()]
    names = set().union(*flat)
    if len({corpus.headline.basis for corpus in corpora.values()}) > 1:
        names.discard("headline_auc")  # a matched and an unmatched AUC have no mean
    averages: dict[str, float | None] = {}
    counts: dict[str, int] = {}
    for name in sorted(names):
        defined = [v for f in flat if (v := f.get(name)) is not None]
        if len(flat) > 1 and name.endswith(("_low", "_high")):
            continue
        counts[name] = len(defined)
        total = sum if name.endswith(_COUNTS) else np.mean
        averages[name] = float(total(defined)) if defined else None
    return averages, counts
