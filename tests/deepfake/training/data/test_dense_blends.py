"""Blends after 468 landmarks: where masks lie, what may differ, what is kept beside the shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from deepfake.config import CropConfig, DenseBlendConfig, ExtractConfig, FaceConfig, SelfBlendConfig
from deepfake.corpora.shards import Snapshot, crop_records, remove_shard, write_shard
from deepfake.corpora.shards.snapshots import write_snapshot
from deepfake.extract.faces import DenseLandmarker, MtcnnDetector, crop_face, landmarks_in_square
from deepfake.media import encode_crop
from deepfake.training.data import CropBlender, collect_crops, landmarks_of
from deepfake.training.data import dense_landmarks as located_once
from deepfake.training.data.face_regions import REGION_WEIGHTS, draw_region_mask
from deepfake.training.data.region_blend import blend_region
from deepfake.types import Face, FaceCrop, Outcome, Status
from tests.sample_data import astronaut

CROP = CropConfig(size=160, edge="inside")
DENSE = SelfBlendConfig(masks="dense")
LIPS, NOSE_TIP, CHIN, BETWEEN_BROWS = (13, 14), 4, 152, 9
KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def face() -> Face:
    return max(MtcnnDetector(FaceConfig()).detect(astronaut()), key=lambda f: f.size_px)


@pytest.fixture(scope="module")
def square(face: Face) -> NDArray[np.uint8]:
    return crop_face(astronaut(), face, config=CROP).pixels


@pytest.fixture(scope="module")
def points(face: Face, square: NDArray[np.uint8]) -> NDArray[np.float32]:
    placed = crop_face(astronaut(), face, config=CROP).square
    found = DenseLandmarker().locate(square, landmarks_in_square(face, placed, size=CROP.size))
    assert found is not None
    return found


@pytest.fixture
def snapshot(tmp_path: Path, face: Face, square: NDArray[np.uint8]) -> Snapshot:
    """Return a corpus of three reals: the face, the face again, and noise with its landmarks."""
    noise = np.random.default_rng(0).integers(0, 255, square.shape, dtype=np.uint8)
    records, media = [], []
    for number, pixels in enumerate((square, square, noise)):
        media_id = f"{number:064x}"
        crop = FaceCrop(
            encoded=encode_crop(pixels, config=CROP),
            face=face,
            track_id=0,
            pts_seconds=0.0,
            frame_index=0,
            sharpness=1.0,
            brightness=100.0,
        )
        records += crop_records(media_id, "image", [crop], frame_wh=(512, 512))
        media.append({"media_id": media_id, "uri": f"/{number}", "corpus": "faces"})
        media[-1] |= {"label": "real", "split": "train", "group": None, "method": None}
    outcomes = [
        Outcome(uri=m["uri"], media_id=m["media_id"], status=Status.OK, num_faces=1) for m in media
    ]
    folder = tmp_path / "shards" / "faces"
    shard = write_shard(folder, key=KEY, records=records, outcomes=outcomes)
    return write_snapshot(
        folder,
        corpus="faces",
        digest="f" * 16,
        media=media,
        outcomes=[{**m, "kind": "image", "status": "ok"} for m in media],
        shards=[shard],
        description={"config": ExtractConfig(crop=CROP).model_dump(mode="json")},
    )


def mask_of(kind: str, points: NDArray[np.float32], seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return draw_region_mask(points, kind=kind, height=CROP.size, width=CROP.size, rng=rng)


@pytest.mark.parametrize("kind", REGION_WEIGHTS)
def test_masks_lie_on_the_face(kind: str, points: NDArray[np.float32]) -> None:
    hull = np.zeros((CROP.size, CROP.size), np.uint8)
    middle = points.mean(axis=0)
    grown = middle + (points - middle) * 1.3
    cv2.fillConvexPoly(hull, cv2.convexHull(grown.round().astype(np.int32)), 255)
    for seed in range(20):
        mask = mask_of(kind, points, seed)
        assert mask.any()
        assert not mask[hull == 0].any()


def test_each_kind_covers_what_it_is_called_after(points: NDArray[np.float32]) -> None:
    def covers(kind: str, numbers: tuple[int, ...]) -> float:
        x, y = points[list(numbers)].mean(axis=0).astype(int)
        return float(np.mean([mask_of(kind, points, seed)[y, x] > 0 for seed in range(20)]))

    assert covers("oval", (BETWEEN_BROWS,)) == 1
    assert covers("mouth", LIPS) == 1
    assert covers("lower_face", LIPS) == 1
    assert covers("nose", (NOSE_TIP,)) == 1
    for kind, numbers in (("mouth", (BETWEEN_BROWS,)), ("lower_face", (BETWEEN_BROWS,))):
        assert covers(kind, numbers) == 0
    assert covers("eyes", LIPS) == covers("nose", (CHIN,)) == 0
    areas = {k: np.mean([mask_of(k, points, s).mean() for s in range(9)]) for k in REGION_WEIGHTS}
    assert areas["oval"] > areas["inner_face"] > areas["mouth"] > 0
    assert sum(REGION_WEIGHTS.values()) == pytest.approx(1)


def test_a_mask_is_drawn_even_where_its_part_lies_outside(
    square: NDArray[np.uint8], points: NDArray[np.float32]
) -> None:
    low = points + np.float32([0, 0.45 * CROP.size])
    for seed in range(30):
        rng = np.random.default_rng(seed)
        assert blend_region(square, low, rng=rng, config=DenseBlendConfig()).mask.max() > 0.05


@pytest.mark.parametrize("poisson_p", [0.0, 1.0])
def test_fake_differs_from_its_real_inside_of_the_mask_alone(
    square: NDArray[np.uint8], points: NDArray[np.float32], poisson_p: float
) -> None:
    before, gaps = square.copy(), []
    config = DenseBlendConfig(poisson_p=poisson_p)
    for seed in range(40):
        pair = blend_region(square, points, rng=np.random.default_rng(seed), config=config)
        again = blend_region(square, points, rng=np.random.default_rng(seed), config=config)
        assert (pair.fake == again.fake).all()
        assert pair.fake.shape == pair.real.shape == square.shape
        outside = pair.mask == 0
        assert (pair.fake[outside] == pair.real[outside]).all()
        gaps.append(np.abs(pair.fake.astype(int) - pair.real.astype(int)).max())
    assert (square == before).all()
    assert np.mean(np.array(gaps) >= 6) > 0.9


def test_landmarks_are_located_once_a_shard_and_go_with_it(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, points: NDArray[np.float32]
) -> None:
    crops = collect_crops([snapshot])
    found = located_once.dense_landmarks_of(crops, crop=CROP)
    assert found.shape == (3, 468, 2)
    assert np.abs(found[0] - points).max() < 2
    assert (found[0] == found[1]).all()
    assert np.isnan(found[2]).all()
    (kept,) = (snapshot.corpus_dir / "parts").glob("*.landmarks-*")  # type: ignore[union-attr]

    def fail() -> Any:
        raise AssertionError("they are kept")

    monkeypatch.setattr(located_once, "DenseLandmarker", fail)
    some = crops.iloc[[2, 0]].reset_index(drop=True)
    again = located_once.dense_landmarks_of(some, crop=CROP)
    np.testing.assert_array_equal(again, found[[2, 0]])
    with pytest.raises(AssertionError):
        located_once.dense_landmarks_of(crops.assign(shard_sha256="0" * 64), crop=CROP)
    kept.write_bytes(b"damaged")
    with pytest.raises(AssertionError):
        located_once.dense_landmarks_of(crops, crop=CROP)
    remove_shard(snapshot.corpus_dir, KEY)
    assert not kept.exists()


def test_rows_asked_for_later_are_added(snapshot: Snapshot) -> None:
    crops = collect_crops([snapshot])
    first = located_once.dense_landmarks_of(crops.iloc[:1], crop=CROP)
    whole = located_once.dense_landmarks_of(crops, crop=CROP, num_workers=1)
    np.testing.assert_array_equal(whole[:1], first)
    assert not np.isnan(whole[1]).any()


def test_face_without_dense_landmarks_is_blended_by_five(snapshot: Snapshot) -> None:
    crops = collect_crops([snapshot])
    dense = CropBlender(crops, crop=CROP, config=DENSE)
    hull = CropBlender(crops, crop=CROP, config=SelfBlendConfig())
    pixels = np.random.default_rng(1).integers(0, 255, (CROP.size, CROP.size, 3), dtype=np.uint8)

    def fake(blender: CropBlender, row: int) -> NDArray[np.uint8]:
        return blender.blend(pixels, row, rng=np.random.default_rng(5))[1]

    assert (fake(dense, 2) == fake(hull, 2)).all()
    assert (fake(dense, 0) != fake(hull, 0)).any()


def test_enlarged_crop_is_blended_at_the_size_that_it_had(
    square: NDArray[np.uint8], face: Face, snapshot: Snapshot
) -> None:
    crops = collect_crops([snapshot])
    small = crops.assign(
        bbox_xyxy=[np.asarray(box) / 2 for box in crops["bbox_xyxy"]],
        landmarks=[np.asarray(five) / 2 for five in crops["landmarks"]],
        frame_width=256,
        frame_height=256,
    )
    np.testing.assert_allclose(
        landmarks_of(small, crop=CROP), landmarks_of(crops, crop=CROP), atol=2
    )
    details = {}
    for name, table in (("as it was", crops), ("enlarged", small)):
        blender = CropBlender(table, crop=CROP, config=DENSE)
        real, fake = blender.blend(square, 0, rng=np.random.default_rng(0))
        assert real.shape == fake.shape == square.shape
        details[name] = float(cv2.Laplacian(fake, cv2.CV_32F).var())
    assert details["enlarged"] < details["as it was"]


def test_masks_of_the_old_kind_keep_their_digest_and_their_form() -> None:
    plain = SelfBlendConfig().model_dump(mode="json")
    assert "masks" not in plain
    assert "dense" not in plain
    written = DENSE.model_dump(mode="json")
    assert written["masks"] == "dense"
    assert SelfBlendConfig.model_validate(written) == DENSE
    other = DENSE.model_copy(update={"dense": DenseBlendConfig(poisson_p=0.5)})
    assert SelfBlendConfig.model_validate(other.model_dump(mode="json")) == other
    with pytest.raises(ValueError, match="for the masks `dense`"):
        SelfBlendConfig(dense=DenseBlendConfig(poisson_p=0.5))


def test_tables_of_crops_are_left_as_they_are(snapshot: Snapshot) -> None:
    crops = collect_crops([snapshot])
    before = crops.copy(deep=True)
    CropBlender(crops, crop=CROP, config=DENSE)
    pd.testing.assert_frame_equal(crops, before)
