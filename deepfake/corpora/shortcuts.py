"""Find shortcuts: properties that separate fakes from reals without any trace of the forgery.

A detector trained on a corpus in which fakes are larger, sharper or encoded differently learns
that, and fails elsewhere. Each such property is measured alone, over files, by its AUC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.shards import FACES, SYNC, VOICE
from deepfake.types import Label, Status

__all__ = ["Shortcut", "auc_lower_bound", "find_shortcuts"]

Level = Literal["strong", "weak", "none", "undefined"]

_STRONG_AUC = 0.65
_STRONG_LOWER = 0.6
_NUM_FOLDS = 5
_Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well one property alone separates fakes from reals.

    Attributes:
        name: Name of the property.
        kind: `numeric` or `categorical`.
        num_real: Real files with a known value.
        num_fake: Fake files with a known value.
        auc: At least 0.5 in either direction; None if a class is missing.
        auc_lower: Lower end of its 95 % interval, files taken as independent.
        direction: The direction of the difference, for people.
        level: `strong` (AUC of 0.65, lower end over 0.6), `weak` (lower end over 0.5), `none`,
            or `undefined` without an AUC.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    num_real: int
    num_fake: int
    auc: float | None = None
    auc_lower: float | None = None
    direction: str | None = None
    level: Level = "undefined"

    def as_record(self) -> dict[str, Any]:
        """Return the attributes as plain values, for JSON and tables."""
        return asdict(self)


_NUMERIC: Mapping[str, tuple[str, str]] = {
    # name: text if fakes have a higher mean rank, and text if they have a lower one
    "size_bytes": ("fakes have more bytes", "fakes have fewer bytes"),
    "bytes_per_second": ("fakes have a higher bit rate", "fakes have a lower bit rate"),
    "bytes_per_pixel": ("fakes are compressed less", "fakes are compressed more"),
    "width": ("fakes are wider", "fakes are narrower"),
    "height": ("fakes are taller", "fakes are less tall"),
    "fps": ("fakes have more frames a second", "fakes have fewer frames a second"),
    "duration_seconds": ("fakes are longer", "fakes are shorter"),
    "face_px": ("fakes have larger faces", "fakes have smaller faces"),
    "face_fraction": ("faces of fakes fill more of it", "faces of fakes fill less of it"),
    "sharpness": ("fakes are sharper", "fakes are less sharp"),
    "brightness": ("fakes are brighter", "fakes are darker"),
    "confidence": ("faces of fakes are surer", "faces of fakes are less sure"),
    "faces_per_frame": ("fakes show more faces", "fakes show fewer faces"),
}
_NUMERIC_OF_VOICE: Mapping[str, tuple[str, str]] = {
    "size_bytes": _NUMERIC["size_bytes"],
    "bytes_per_second": _NUMERIC["bytes_per_second"],
    "duration_seconds": _NUMERIC["duration_seconds"],
    "speech_seconds": ("fakes hold more speech", "fakes hold less speech"),
    "speech_share": ("fakes have fewer pauses", "fakes have more pauses"),
    "loudness_dbfs": ("fakes are louder", "fakes are quieter"),
    "bandwidth_hz": ("fakes have a wider band", "fakes have a narrower band"),
}
_NUMERIC_OF_SYNC: Mapping[str, tuple[str, str]] = {
    **{name: _NUMERIC[name] for name in ("size_bytes", "bytes_per_second", "bytes_per_pixel")},
    **{name: _NUMERIC[name] for name in ("width", "height", "fps", "duration_seconds", "face_px")},
    "speech_seconds": _NUMERIC_OF_VOICE["speech_seconds"],
    "speech_share": _NUMERIC_OF_VOICE["speech_share"],
}
_PROPERTIES: Mapping[str, tuple[Mapping[str, tuple[str, str]], tuple[str, ...]]] = {
    FACES: (_NUMERIC, ("kind", "codec", "container")),
    VOICE: (_NUMERIC_OF_VOICE, ("kind", "container", "sound_codec", "sample_rate")),
    SYNC: (_NUMERIC_OF_SYNC, ("codec", "container", "sound_codec", "sample_rate")),
}
"""By kind of evidence: properties with an order, and those without."""


def find_shortcuts(
    records: pd.DataFrame, outcomes: pd.DataFrame, *, kind: str = FACES
) -> list[Shortcut]:
    """Measure every property that could separate fakes from reals.

    Files with the same content count once. Properties of faces are the median over frames of the
    largest face of each frame, those of speech the median over windows, those of mouths the
    median over runs.

    Args:
        records: A row a crop, a window of speech or a run of mouths, with the columns of the index.
        outcomes: A row a file, with the columns of the outcomes table.
        kind: Of evidence, one of `RECORD_SCHEMAS`.

    Returns:
        The strongest first, those that cannot be measured last. Over the largest face:
        `face_px`, `face_fraction` (of the frame's shorter side), `sharpness`, `brightness`,
        `confidence`; over windows: `loudness_dbfs`, `bandwidth_hz`; over files: the others.
        `bytes_per_pixel` counts the pixels of all frames.
    """
    numeric, categorical = _PROPERTIES[kind]
    own = _OWN[kind](records)
    files = _files(outcomes).join(own)
    if kind != FACES:
        share = _ratio(_floats(files["speech_seconds"]), files["duration_seconds"])
        files = files.assign(speech_share=share)
    is_fake = (files["label"] == str(Label.FAKE)).to_numpy(dtype=bool)
    found = [_numeric(name, files[name], is_fake, texts=numeric[name]) for name in numeric]
    found += [_categorical(name, files[name], files.index, is_fake) for name in categorical]
    return sorted(found, key=lambda s: (s.auc is None, -(s.auc or 0.0), s.name))


def auc_lower_bound(auc: float, *, num_real: int, num_fake: int, level: float = 0.95) -> float:
    """Return the lower end of a two-sided confidence interval of an AUC.

    The variance is that of Hanley and McNeil, taken at the bound and not at the estimate, so
    that an AUC of 1 over four files is not certain.

    Source: Hanley and McNeil, Radiology 143 (1982), 29-36; the inversion and the mean class size
    in place of both: Newcombe, Statistics in Medicine 25 (2006), 559-573, method 5.

    Args:
        auc: From 0.5 to 1.
        num_real: At least 1.
        num_fake: At least 1.
        level: Confidence level.

    Example:
        >>> round(auc_lower_bound(1.0, num_real=2, num_fake=2), 2) < 0.5
        True
        >>> round(auc_lower_bound(0.87, num_real=600, num_fake=600), 2)
        0.85
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    others = (num_real + num_fake) / 2 - 1
    low, high = 0.0, auc
    for _ in range(50):
        bound = (low + high) / 2
        spread = others * ((1 - bound) / (2 - bound) + bound / (1 + bound))
        variance = bound * (1 - bound) * (1 + spread) / (num_real * num_fake)
        if auc - bound > z * variance**0.5:
            low = bound
        else:
            high = bound
    return (low + high) / 2


def _files(outcomes: pd.DataFrame) -> pd.DataFrame:
    labelled = outcomes[outcomes["label"].isin([str(label) for label in Label])]
    # Files whose content has both labels are errors and are left out.
    is_usable = labelled["media_id"].notna() & (labelled["status"] != str(Status.ERROR))
    labelled = labelled[is_usable]
    files = labelled.sort_values("uri").drop_duplicates("media_id").set_index("media_id")
    pixels = _floats(files["width"]) * _floats(files["height"])
    frames = (_floats(files["fps"]) * _floats(files["duration_seconds"])).where(
        files["kind"] == "video", 1.0
    )
    size, seconds = _floats(files["size_bytes"]), _floats(files["duration_seconds"])
    derived = {
        "bytes_per_second": _ratio(size, seconds),
        "bytes_per_pixel": _ratio(size, pixels * frames),
        "faces_per_frame": _ratio(_floats(files["num_faces"]), _floats(files["frames_read"])),
        "duration_seconds": seconds.where(seconds > 0),
    }
    return files.assign(**derived)


def _medians_of_windows(windows: pd.DataFrame) -> pd.DataFrame:
    columns = ["loudness_dbfs", "bandwidth_hz"]
    return pd.DataFrame(windows.groupby("media_id")[columns].median())


def _medians_of_runs(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(runs.groupby("media_id")[["face_px"]].median())


def _largest_faces(crops: pd.DataFrame) -> pd.DataFrame:
    columns = ["face_px", "face_fraction", "sharpness", "brightness", "confidence"]
    shorter = crops[["frame_width", "frame_height"]].min(axis=1)
    faces = crops.assign(face_fraction=_ratio(_floats(crops["face_px"]), _floats(shorter)))
    # Duplicated crops do not change a median.
    largest = faces.sort_values("face_px").groupby(["media_id", "frame_index"]).tail(1)
    medians = largest.groupby("media_id")[columns].median()
    return pd.DataFrame(medians)


_OWN: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    FACES: _largest_faces,
    VOICE: _medians_of_windows,
    SYNC: _medians_of_runs,
}
"""By kind of evidence: the properties of a file that are measured over its records."""


def _floats(column: pd.Series[Any]) -> pd.Series[float]:
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _ratio(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    return part / whole.where(whole > 0)


def _numeric(
    name: str, column: pd.Series[Any], is_fake: NDArray[np.bool_], *, texts: tuple[str, str]
) -> Shortcut:
    values: _Numbers = np.asarray(_floats(column), dtype=np.float64)
    is_known = np.isfinite(values)
    values, fakes = values[is_known], is_fake[is_known]
    auc = _auc(values, fakes)
    more, fewer = texts
    folded = None if auc is None else max(auc, 1 - auc)
    direction = (
        None if auc is None else more if auc > 0.5 else fewer if auc < 0.5 else "no difference"
    )
    return _judge(Shortcut(name, "numeric", *_counts(fakes)), auc=folded, direction=direction)


def _categorical(
    name: str, column: pd.Series[Any], media: pd.Index[Any], is_fake: NDArray[np.bool_]
) -> Shortcut:
    """Rank files by the share of fakes among the other folds' files of their category.

    Within a fold a category has one rank, so a category of all files gives no information, and one
    of a single file is ranked like an unknown file.
    """
    is_known = column.notna().to_numpy(dtype=bool)
    categories = column[is_known].astype(str).to_numpy(dtype=object)
    fakes = is_fake[is_known]
    num_real, num_fake = _counts(fakes)
    shortcut = Shortcut(name, "categorical", num_real, num_fake)
    num_folds = min(_NUM_FOLDS, num_real, num_fake)
    if num_folds < 2:
        return shortcut
    folds = _folds(media[is_known], fakes, num_folds=num_folds)
    aucs = [_fold_auc(categories, fakes, folds == fold) for fold in range(num_folds)]
    auc = max(0.5, float(np.mean([a for a in aucs if a is not None])))
    return _judge(shortcut, auc=auc, direction=_largest_difference(name, categories, fakes))


def _folds(media: pd.Index[Any], fakes: NDArray[np.bool_], *, num_folds: int) -> NDArray[np.int64]:
    """Distribute both classes over folds, in an order that depends on the contents alone."""
    drawn = np.array([hashlib.sha256(str(name).encode()).hexdigest() for name in media])
    folds = np.zeros(len(drawn), dtype=np.int64)
    for is_class in (fakes, ~fakes):
        places = np.flatnonzero(is_class)
        folds[places[np.argsort(drawn[places])]] = np.arange(len(places)) % num_folds
    return folds


def _fold_auc(
    categories: NDArray[np.object_], fakes: NDArray[np.bool_], is_held: NDArray[np.bool_]
) -> float | None:
    others = pd.Series(fakes[~is_held].astype(float)).groupby(categories[~is_held]).mean()
    overall = float(fakes[~is_held].mean())
    rates = pd.Series(categories[is_held]).map(others).astype("float64").fillna(overall)
    return _auc(np.asarray(rates, dtype=np.float64), fakes[is_held])


def _largest_difference(
    name: str, categories: NDArray[np.object_], fakes: NDArray[np.bool_]
) -> str:
    shares = pd.crosstab(categories, fakes, normalize="columns")
    difference = shares[True] - shares[False]
    top = str(difference.abs().idxmax())
    return f"{name} {top}: {shares[True][top]:.0%} of fakes, {shares[False][top]:.0%} of reals"


def _judge(shortcut: Shortcut, *, auc: float | None, direction: str | None) -> Shortcut:
    if auc is None:
        return shortcut
    num_real, num_fake = shortcut.num_real, shortcut.num_fake
    lower = auc_lower_bound(auc, num_real=num_real, num_fake=num_fake)
    is_strong = auc >= _STRONG_AUC and lower > _STRONG_LOWER
    level: Level = "strong" if is_strong else "weak" if lower > 0.5 else "none"
    return Shortcut(shortcut.name, shortcut.kind, num_real, num_fake, auc, lower, direction, level)


def _counts(fakes: NDArray[np.bool_]) -> tuple[int, int]:
    return int((~fakes).sum()), int(fakes.sum())


def _auc(values: _Numbers, fakes: NDArray[np.bool_]) -> float | None:
    """Return the share of pairs in which the fake's value is higher; ties count half."""
    num_real, num_fake = _counts(fakes)
    if not (num_real and num_fake):
        return None
    # Not of SciPy, whose import takes longer than all of this.
    ranks = float(pd.Series(values).rank().to_numpy()[fakes].sum())
    return (ranks - num_fake * (num_fake + 1) / 2) / (num_real * num_fake)
