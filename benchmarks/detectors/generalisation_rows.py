"""What a detector's scores of a set come to, beside what sharpness and size alone do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from benchmarks.detectors.generalisation_scores import MediaScores
from benchmarks.detectors.matched_bins import DEFAULT_BINS, match_by_bins
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.evaluation.metrics import binary_metrics, bootstrap_intervals
from deepfake.types import Label, Verdict

__all__ = ["MeasuredRow", "auc_of", "files_of", "measure_files", "measure_set"]

_FILES_A_BIN = 12
_LEAST_BINS = 3
_SIZE_SAYS = (0.4, 0.6)
"""Outside of this AUC the size of the face alone says enough to be matched for."""


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """A set, or one generator or source of it. None is undefined: a class is absent, or too few.

    Attributes:
        part: None for the whole set; else a generator, compared with all reals of the set, or a
            source of reals.
        n_real: Reals with a score.
        n_fake: Fakes with a score.
        n_without_score: Files without one, such as those without a face.
        auc: Of the fused logit.
        auc_low: Lower end of its 95 % interval by bootstrap over groups.
        auc_high: Upper end.
        n_groups: Groups of files.
        heads: AUC of each output of the network alone, by name.
        sharpness_auc: AUC of the deciding face's sharpness alone, without a network.
        size_auc: AUC of its size alone.
        sharpness_matched_auc: AUC where both classes weigh alike in each bin of sharpness.
        n_sharpness_matched: Files of each class left in it.
        size_matched_auc: The same by size; None too where size alone says little.
        n_size_matched: Files of each class left in it.
        bins: Of the matching; 0 where there are too few files for it.
        n_pairs: Fakes whose own real has a score.
        pair_accuracy: Share of these that lie above their own real.
        verdicts: Files with a score by verdict, by label.
        equalised_auc: AUC after all faces were brought to one size and compression.
        equalised_sharpness_auc: AUC of sharpness alone then.
    """

    part: str | None
    n_real: int
    n_fake: int
    n_without_score: int
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    n_groups: int
    heads: Mapping[str, float | None]
    sharpness_auc: float | None
    size_auc: float | None
    sharpness_matched_auc: float | None
    n_sharpness_matched: int
    size_matched_auc: float | None
    n_size_matched: int
    bins: int
    n_pairs: int
    pair_accuracy: float | None
    verdicts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    equalised_auc: float | None = None
    equalised_sharpness_auc: float | None = None

    def as_record(self) -> dict[str, object]:
        """Return the attributes in JSON types."""
        return asdict(self)


def files_of(rows: Sequence[ManifestRow], found: MediaScores) -> pd.DataFrame:
    """Return a row a file: label, group, method, original, and what scoring said.

    Args:
        rows: Probed files.
        found: The scores of their contents.

    Returns:
        With `status`, `verdict`, `logit`, and of the track that decides `face_px`, `sharpness` and
        the mean of each head's logit.
    """
    listed = pd.DataFrame(
        {
            "uri": row.uri,
            "media_id": row.media_id,
            "label": str(row.label),
            "group": row.group or row.uri,
            "method": row.method,
            "original": row.original,
            "compression": row.compression,
        }
        for row in rows
    )
    columns = ["media_id", "status", "verdict", "logit", "strongest_track_id"]
    scores = found["scores"].reindex(columns=columns)
    deciding = scores[["media_id", "strongest_track_id"]].dropna()
    deciding = deciding.rename(columns={"strongest_track_id": "track_id"})
    tracks = found["tracks"].reindex(columns=["media_id", "track_id", "face_px", "sharpness"])
    frames = found["frames"]
    heads = [name for name in frames.columns if name.startswith("logit_")]
    heads = [name for name in heads if frames[name].notna().any()]
    seen = deciding.merge(frames.reindex(columns=["media_id", "track_id", *heads]))
    means = seen.groupby("media_id", as_index=False)[heads].mean()
    faces = deciding.merge(tracks).drop(columns="track_id")
    files = listed.merge(scores.drop(columns="strongest_track_id"), on="media_id", how="left")
    return files.merge(faces, on="media_id", how="left").merge(means, on="media_id", how="left")


def measure_set(
    files: pd.DataFrame, *, has_sources: bool, draws: int = 2000
) -> Iterator[MeasuredRow]:
    """Yield the row of a set, and one for each generator and source where there are several.

    Args:
        files: Of `files_of`.
        has_sources: Whether the methods of reals name their sources.
        draws: Of the bootstrap.
    """
    yield measure_files(files, draws=draws)
    is_fake = files["label"] == Label.FAKE
    reals = files[~is_fake]
    for is_class, others in ((is_fake, [reals]), (~is_fake, [])):
        methods = sorted(files.loc[is_class, "method"].dropna().unique())
        if len(methods) < 2 or not (others or has_sources):
            continue
        for method in methods:
            own = files[is_class & (files["method"] == method)]
            yield measure_files(pd.concat([own, *others]), part=method, draws=draws)


def measure_files(
    files: pd.DataFrame, *, part: str | None = None, draws: int = 2000
) -> MeasuredRow:
    """Return the row of some files.

    Args:
        files: Of `files_of`.
        part: As the row's.
        draws: Of the bootstrap.
    """
    scored = files[files["logit"].notna()]
    labels = _is_fake(scored)
    interval = bootstrap_intervals(
        labels,
        np.zeros(len(scored)),
        groups=scored["group"].to_numpy(dtype=str),
        rank=scored["logit"].to_numpy(dtype=np.float64),
        draws=draws,
    )
    ends = interval.values["auc"] or (None, None)
    size_auc = auc_of(scored, "face_px")
    low, high = _SIZE_SAYS
    by_sharpness = _matched(scored, by="sharpness")
    says_enough = size_auc is not None and not low <= size_auc <= high
    by_size = _matched(scored, by="face_px") if says_enough else (None, 0, 0)
    n_pairs, pair_accuracy = _pairs(scored)
    heads = [name for name in scored.columns if name.startswith("logit_")]
    return MeasuredRow(
        part=part,
        n_real=int((labels == 0).sum()),
        n_fake=int((labels == 1).sum()),
        n_without_score=len(files) - len(scored),
        auc=auc_of(scored, "logit"),
        auc_low=ends[0],
        auc_high=ends[1],
        n_groups=interval.n_groups,
        heads={name.removeprefix("logit_"): auc_of(scored, name) for name in heads},
        sharpness_auc=auc_of(scored, "sharpness"),
        size_auc=size_auc,
        sharpness_matched_auc=by_sharpness[0],
        n_sharpness_matched=by_sharpness[1],
        size_matched_auc=by_size[0],
        n_size_matched=by_size[1],
        bins=by_sharpness[2],
        n_pairs=n_pairs,
        pair_accuracy=pair_accuracy,
        verdicts={
            str(label): {str(v): int((rows["verdict"] == v).sum()) for v in _VERDICTS}
            for label, rows in scored.groupby("label", sort=True)
        },
    )


_VERDICTS = (Verdict.REAL, Verdict.FAKE, Verdict.UNCERTAIN)


def auc_of(files: pd.DataFrame, column: str) -> float | None:
    """Return the AUC of one column over the files that have it; None where a class is absent."""
    known = files[files[column].notna()] if column in files else files.iloc[:0]
    rank = known[column].to_numpy(dtype=np.float64) if len(known) else np.empty(0)
    return binary_metrics(_is_fake(known), np.zeros(len(known)), rank=rank).auc


def _is_fake(files: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return (files["label"] == Label.FAKE).to_numpy().astype(np.int64)


def _matched(scored: pd.DataFrame, *, by: str) -> tuple[float | None, int, int]:
    num_bins = min(DEFAULT_BINS, len(scored) // _FILES_A_BIN)
    if num_bins < _LEAST_BINS:
        return None, 0, 0
    found = match_by_bins(
        _is_fake(scored), scored["logit"], property_values=scored[by], num_bins=num_bins
    )
    return found.auc, found.n_matched, num_bins


def _pairs(scored: pd.DataFrame) -> tuple[int, float | None]:
    """Compare each fake with the real that it was made of, compressed alike."""
    is_fake, is_known = scored["label"] == Label.FAKE, scored["original"].notna()
    by = ["original", "compression"]
    columns = [*by, "logit"]
    fakes, reals = scored.loc[is_fake & is_known, columns], scored.loc[~is_fake & is_known, columns]
    met = fakes.merge(reals, on=by, suffixes=("_fake", "_real"))
    gaps = (met["logit_fake"] - met["logit_real"]).to_numpy(dtype=np.float64)
    if not len(gaps):
        return 0, None
    return len(gaps), float(((gaps > 0) + (gaps == 0) / 2).mean())
