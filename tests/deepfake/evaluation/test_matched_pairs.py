"""Pairs of one face size and one sharpness."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from deepfake.errors import DataError
from deepfake.evaluation import match_pairs
from deepfake.evaluation import matched_pairs as matching


def faces(n: int, *, seed: int = 0, shift: float = 1.5) -> pd.DataFrame:
    """Return n files a class; the faces of fakes are larger by `shift` standard deviations."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["real", "fake"], n)
    size = rng.normal(size=2 * n) + shift * (label == "fake")
    return pd.DataFrame(
        {
            "label": label,
            "face_px": np.exp(4 + 0.4 * size),
            "sharpness": np.exp(rng.normal(size=2 * n)),
        }
    ).sample(frac=1, random_state=seed, ignore_index=True)


def scaled_of(files: pd.DataFrame) -> np.ndarray:
    """Return the standardised logarithms."""
    logs = np.log(files[["face_px", "sharpness"]].to_numpy())
    return logs / logs.std(axis=0, ddof=1)


@pytest.mark.parametrize("most", [3000, 10])  # optimal, greedy
def test_pairs_are_one_to_one_alike_and_of_two_labels(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_MAX_OPTIMAL", most)
    files = faces(300)
    pairs = match_pairs(files, caliper=0.2)
    assert pairs.n_pairs > 80
    assert len(set(pairs.real_rows)) == len(set(pairs.fake_rows)) == pairs.n_pairs
    assert set(files["label"].iloc[pairs.real_rows]) == {"real"}
    assert set(files["label"].iloc[pairs.fake_rows]) == {"fake"}
    scaled = scaled_of(files)
    assert np.abs(scaled[pairs.real_rows] - scaled[pairs.fake_rows]).max() <= 0.2
    before, after = pairs.gap_before["face_px"], pairs.gap_after["face_px"]
    assert before is not None
    assert after is not None
    assert before > 1.0
    assert abs(after) < 0.12


def test_as_many_pairs_as_can_be() -> None:
    for seed in range(8):
        files = faces(5, seed=seed, shift=0.5)
        scaled = scaled_of(files)
        reals = np.flatnonzero(files["label"] == "real")
        fakes = np.flatnonzero(files["label"] == "fake")
        alike = np.abs(scaled[reals][:, None] - scaled[fakes][None]).max(axis=2) <= 0.8
        most = max(
            sum(alike[i, j] for i, j in enumerate(order))
            for order in itertools.permutations(range(5))
        )
        assert match_pairs(files, caliper=0.8).n_pairs == most


def test_files_without_a_face_are_left_out() -> None:
    files = faces(20, shift=0.0)
    files.loc[files.index[:10], "face_px"] = np.nan
    files.loc[files.index[10:14], "sharpness"] = 0.0
    pairs = match_pairs(files, caliper=5.0)
    assert pairs.n_real + pairs.n_fake == 26
    assert min(*pairs.real_rows, *pairs.fake_rows) >= 14


@pytest.mark.parametrize("label", ["real", "fake"])
def test_one_class_has_no_pairs(label: str) -> None:
    pairs = match_pairs(faces(10).query("label == @label"))
    assert pairs.n_pairs == 0
    assert pairs.gap_after == {"face_px": None, "sharpness": None}


def test_identical_faces_match_at_any_caliper() -> None:
    files = pd.DataFrame({"label": ["real", "fake"] * 3, "face_px": 100.0, "sharpness": 5.0})
    assert match_pairs(files, caliper=1e-9).n_pairs == 3


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="caliper 0"):
        match_pairs(faces(3), caliper=0)
    with pytest.raises(DataError, match="sharpness"):
        match_pairs(faces(3).drop(columns="sharpness"))
