"""Box arithmetic of MTCNN, compared with plain loops."""

from __future__ import annotations

import numpy as np

from deepfake.extract.faces.boxes import best_of_clusters, non_maximum_suppression


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return intersection over union of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def boxes(count: int) -> np.ndarray:
    """Return boxes around two places."""
    rng = np.random.default_rng(3)
    first = rng.choice([0.0, 300.0], size=(count, 1)) + rng.uniform(0, 30, (count, 2))
    return np.concatenate([first, first + rng.uniform(80, 120, (count, 2))], axis=1)


def test_of_a_crowd_the_best_are_kept() -> None:
    some = boxes(40)
    kept = best_of_clusters(some, max_overlap=0.5, most=3)
    expected = [
        row
        for row, box in enumerate(some)
        if sum(overlap(box, better) > 0.5 for better in some[:row]) < 3
    ]
    assert kept.tolist() == expected
    assert 6 <= len(kept) < 20


def test_few_boxes_are_all_kept() -> None:
    assert best_of_clusters(boxes(3), max_overlap=0.5, most=3).tolist() == [0, 1, 2]
    assert best_of_clusters(np.empty((0, 4)), max_overlap=0.5, most=3).tolist() == []


def test_suppression_leaves_no_two_that_overlap() -> None:
    some, scores = boxes(40), np.random.default_rng(4).random(40)
    kept = non_maximum_suppression(some, scores, max_overlap=0.3)
    assert kept[0] == scores.argmax()
    for at, row in enumerate(kept):
        assert all(overlap(some[row], some[other]) <= 0.3 for other in kept[:at])
    for row in set(range(40)) - set(kept.tolist()):
        assert any(
            overlap(some[row], some[other]) > 0.3 and scores[other] > scores[row] for other in kept
        )
