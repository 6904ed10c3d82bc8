"""Distributions against a reference: by hand, by chance, and with classes mixed anew."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.errors import DataError
from deepfake.scoring.drift import (
    REFERENCE_NAME,
    Counts,
    Reference,
    chance_index,
    compare,
    fit_reference,
    load_reference,
    stability_index,
    write_reference,
)
from deepfake.types import Kind, Label

_Values = NDArray[np.float64]


def test_the_index_is_what_one_computes_by_hand() -> None:
    # 0.25 ln 1.5 - 0.25 ln 0.5 = 0.101366 + 0.173287
    assert stability_index([0.5, 0.5], [0.75, 0.25]) == pytest.approx(0.274653, abs=1e-6)
    # 0.1 ln 2 - 0.05 ln 0.75 - 0.05 ln (5/6) = 0.069315 + 0.014384 + 0.009116
    found = stability_index([0.1, 0.2, 0.3, 0.4], [0.2, 0.15, 0.25, 0.4])
    assert found == pytest.approx(0.092815, abs=1e-6)
    assert stability_index([0.25] * 4, [0.25] * 4) == 0.0


@pytest.mark.parametrize("shares", [[0.5, 0.6], [1.0, 0.0], [0.2, 0.3, 0.5]])
def test_what_is_no_distribution_has_no_index(shares: list[float]) -> None:
    with pytest.raises(DataError, match=r"shares"):
        stability_index([0.5, 0.5], shares)


def test_chance_alone_stays_under_its_limit_in_99_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    shares, over = np.full(10, 0.1), 0
    for _ in range(1000):
        one, other = (rng.multinomial(400, shares) / 400 for _ in range(2))
        over += stability_index(one, other) > chance_index(
            num_bins=10, num_expected=400, num_actual=400
        )
    assert 2 <= over <= 25
    assert chance_index(num_bins=2, num_expected=200, num_actual=200) == pytest.approx(
        6.634897 / 100, abs=1e-6
    ), "chi-squared with one degree of freedom"


def _reference(reals: _Values, fakes: _Values) -> Reference:
    labels = np.repeat([0.0, 1.0], [len(reals), len(fakes)])
    made = fit_reference(
        {Kind.IMAGE: {"logit": np.concatenate([reals, fakes])}},
        labels={Kind.IMAGE: labels},
        data_digests={"corpus": "0123456789abcdef"},
    )
    assert made is not None
    return made


def _normal(mean: float, count: int, *, seed: int) -> _Values:
    return np.random.default_rng(seed).normal(mean, 1.0, count)


@pytest.fixture
def reference() -> Reference:
    return _reference(_normal(-2, 600, seed=0), _normal(2, 400, seed=1))


def _levels(reference: Reference, values: _Values, *, prior: float) -> tuple[float, str]:
    counts = Counts(reference)
    for part in np.array_split(values, 7):
        counts.add(Kind.IMAGE, {"logit": part})
    (found,) = compare(counts, prior=prior).features
    assert found.index is not None
    assert found.num_media == np.isfinite(values).sum()
    assert sum(found.actual) == pytest.approx(1) == sum(found.expected)
    return found.index, found.level


def test_bins_have_equal_mass_and_hold_every_file(reference: Reference) -> None:
    histogram = reference.features[Kind.IMAGE]["logit"]
    assert histogram.num_bins == 10
    assert histogram.num_samples == 1000
    both = np.array(histogram.counts[Label.REAL]) + np.array(histogram.counts[Label.FAKE])
    assert both.tolist() == [100] * 10


def test_the_same_distribution_is_stable_and_another_has_moved(reference: Reference) -> None:
    alike = np.concatenate([_normal(-2, 300, seed=2), _normal(2, 300, seed=3)])
    index, level = _levels(reference, alike, prior=0.5)
    assert (index < 0.1, level) == (True, "stable")
    index, level = _levels(reference, alike + 3.0, prior=0.5)
    assert (index > 1.0, level) == (True, "moved")


def test_few_fakes_among_media_are_no_drift_if_few_are_expected(reference: Reference) -> None:
    mostly_real = np.concatenate([_normal(-2, 580, seed=4), _normal(2, 20, seed=5)])
    assert _levels(reference, mostly_real, prior=20 / 600)[1] == "stable"
    assert _levels(reference, mostly_real, prior=0.5)[1] == "moved"


def test_a_handful_of_media_says_nothing(reference: Reference) -> None:
    counts = Counts(reference)
    counts.add(Kind.IMAGE, {"logit": np.full(20, 9.0)})
    (found,) = compare(counts, prior=0.5).features
    assert (found.index, found.level) == (None, "too_few")
    # Thirty that lie oddly by chance are over the limit of 0.25, and have not moved.
    odd = np.concatenate([_normal(-2, 17, seed=11), _normal(2, 13, seed=12)])
    index, level = _levels(reference, odd, prior=0.5)
    assert (index > 0.1, level) == (True, "stable")


def test_what_is_not_known_lies_in_no_bin(reference: Reference) -> None:
    values = np.where(np.arange(200) % 2, np.nan, _normal(0, 200, seed=6))
    assert _levels(reference, values, prior=0.5)[0] > 0.25


def test_values_on_an_edge_and_values_that_are_all_alike() -> None:
    made = fit_reference(
        {Kind.IMAGE: {"steps": np.repeat([0.0, 1.0, 2.0], 40), "same": np.ones(120)}},
        labels={Kind.IMAGE: np.tile([0.0, 1.0], 60)},
        data_digests={},
    )
    assert made is not None
    assert set(made.features[Kind.IMAGE]) == {"steps"}
    steps = made.features[Kind.IMAGE]["steps"]
    assert steps.edges == (1.0, 2.0)
    assert steps.count(np.array([0.0, 0.9, 1.0, 2.0, 7.0, np.nan])).tolist() == [2, 1, 2]
    assert steps.counts[Label.REAL] == (20, 20, 20)


def test_too_few_files_make_no_reference() -> None:
    values = {Kind.VIDEO: {"logit": np.arange(49.0)}}
    labels = {Kind.VIDEO: np.zeros(49)}
    assert fit_reference(values, labels=labels, data_digests={}) is None


def test_a_reference_lies_beside_its_bundle(reference: Reference, tmp_path: Path) -> None:
    assert load_reference(tmp_path) is None
    write_reference(tmp_path, reference)
    assert load_reference(tmp_path) == reference


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"features": {"image": {"logit": {"edges": [1, 0], "counts": {"real": [1, 1, 1]}}}}},
        {"features": {"image": {"logit": {"edges": [0], "counts": {"real": [1, 1, 1]}}}}},
        {"features": {"image": {"logit": {"edges": [0], "counts": {"real": [0, 0]}}}}},
        {"features": {"image": {"logit": {"edges": [0], "counts": {"real": [-1, 2]}}}}},
        {"more": 1},
    ],
)
def test_a_damaged_reference_is_refused(
    reference: Reference, tmp_path: Path, change: dict[str, object]
) -> None:
    write_reference(tmp_path, reference)
    path = tmp_path / REFERENCE_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="no reference"):
        load_reference(tmp_path)


def test_a_reference_that_is_no_json_is_refused(tmp_path: Path) -> None:
    for content in (b"{", b"\xff", json.dumps({"features": math.nan}).encode()):
        (tmp_path / REFERENCE_NAME).write_bytes(content)
        with pytest.raises(DataError, match="reference"):
            load_reference(tmp_path)


def test_a_further_kind_has_a_reference_of_its_own(tmp_path: Path) -> None:
    values = _normal(0, 400, seed=3)
    made = fit_reference(
        {"voice": {"logit": values}},
        labels={"voice": np.tile([0.0, 1.0], 200)},
        data_digests={},
    )
    assert made is not None
    write_reference(tmp_path, made)
    assert load_reference(tmp_path) == made
    counts = Counts(made)
    counts.add("voice", {"logit": values + 3.0})
    (found,) = compare(counts, prior=0.5).features
    assert (found.kind, found.level) == ("voice", "moved")
