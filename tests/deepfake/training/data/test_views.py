"""Squares out of wider crops: the detector's, those of training, and what they never show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from deepfake.config import AugmentConfig, CropConfig, SelfBlendConfig, ViewConfig
from deepfake.detectors.inference import resize_square
from deepfake.extract.faces import crop_face
from deepfake.media import decode_crop, encode_crop
from deepfake.training.data import (
    CropViews,
    InputSpec,
    PairDraw,
    collect_crops,
    evaluation_dataset,
    pair_loader,
    training_loader,
)
from deepfake.types import Face
from tests.deepfake.training.face_crops import FacePicture, face_pictures, scaled_face, write_faces

WIDE = CropConfig(size=320, margin=2.2, edge="inside")
VIEW = ViewConfig()
SPEC = InputSpec(64, (0.0,) * 3, (1.0,) * 3)
TIGHT = (165, 50, 290, 190)
PLACES = {
    "small": (0.4, None),
    "as it is": (1.0, None),
    "large": (2.5, None),
    "fills its picture": (1.0, TIGHT),
    "fills a large one": (3.0, TIGHT),
    "in a corner": (1.0, (175, 55, 512, 512)),
    "flat picture": (1.0, (0, 50, 512, 185)),
}


def table_of(face: Face, *, width: int, height: int) -> pd.DataFrame:
    row = {
        "bbox_xyxy": np.array(face.bbox_xyxy),
        "landmarks": np.array(face.landmarks).reshape(-1),
        "frame_width": width,
        "frame_height": height,
    }
    return pd.DataFrame([row])


def stored(pixels: NDArray[np.uint8], face: Face, crop: CropConfig) -> NDArray[np.uint8]:
    return decode_crop(encode_crop(crop_face(pixels, face, config=crop).pixels, config=crop))


def views_of(
    pixels: NDArray[np.uint8],
    face: Face,
    *,
    crop: CropConfig = WIDE,
    view: ViewConfig = VIEW,
    is_drawn: bool = True,
) -> CropViews:
    table = table_of(face, width=pixels.shape[1], height=pixels.shape[0])
    return CropViews(table, crop=crop, view=view, is_drawn=is_drawn)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("edge", ["inside", "mirror"])
def test_detector_is_shown_what_would_be_cut_out_of_the_frame(place: str, edge: str) -> None:
    factor, within = PLACES[place]
    pixels, face = scaled_face(factor, within=within)
    crop = WIDE.model_copy(update={"edge": edge})
    views = views_of(pixels, face, crop=crop, is_drawn=False)
    shown = resize_square(views.show(stored(pixels, face, crop), 0).pixels, size=VIEW.size)
    wanted = crop_face(pixels, face, config=VIEW.crop_of(crop)).pixels.astype(float)
    off = np.abs(shown - wanted).mean()
    a_pixel_aside = np.abs(wanted[:, 1:] - wanted[:, :-1]).mean()
    assert off < 2
    assert off < 0.45 * a_pixel_aside


@pytest.mark.parametrize("place", PLACES)
def test_drawn_square_shows_the_frame_alone(place: str) -> None:
    factor, within = PLACES[place]
    pixels, face = scaled_face(factor, within=within)
    bright = np.full_like(pixels, 200)
    crop = crop_face(bright, face, config=WIDE).pixels
    views = views_of(pixels, face)
    for seed in range(60):
        shown = views.show(crop, 0, seed=seed).pixels
        assert shown.shape[0] == shown.shape[1] > 16
        # Bicubic interpolation rings a pixel or two beside a black edge.
        assert shown[2:-2, 2:-2].min() > 150


def test_drawn_squares_are_tight_and_wide_and_off_the_middle() -> None:
    pixels, face = scaled_face(1.2)
    crop, views = stored(pixels, face, WIDE), views_of(pixels, face)
    found = [views.show(crop, 0, seed=seed) for seed in range(300)]
    box = face.size_px
    sides = np.array([one.pixels.shape[0] for one in found]) / box
    assert 0.79 < sides.min() < 0.9
    assert 2.0 < sides.max() < 2.21
    assert np.median(sides) == pytest.approx(np.sqrt(0.8 * 2.2), abs=0.15)
    square = crop_face(pixels, face, config=WIDE).square
    middle = (np.array([face.center_xy]) - (square.left, square.top)) * (320 / square.side)
    middles = [one.place(middle)[0] - one.pixels.shape[0] / 2 for one in found]
    off = np.array([m for m, side in zip(middles, sides, strict=True) if side < 1.8]) / box
    assert np.abs(off).max() < 0.1 + 2 / box
    assert off.std() > 0.04
    again = views.show(crop, 0, seed=7).pixels
    assert (again == found[7].pixels).all()


def test_small_face_is_shown_with_as_many_pixels_as_are_asked_for() -> None:
    pixels, face = scaled_face(0.5)
    views = views_of(pixels, face)
    crop = stored(pixels, face, WIDE)
    sides = [views.show(crop, 0, seed=seed).pixels.shape[0] for seed in range(80)]
    assert min(sides) >= 95
    assert max(sides) <= round(2.2 * face.size_px)
    lower = VIEW.model_copy(update={"min_px": 32})
    views = views_of(pixels, face, view=lower)
    assert min(views.show(crop, 0, seed=seed).pixels.shape[0] for seed in range(80)) < 60


def test_points_go_with_the_square() -> None:
    pixels, face = scaled_face(1.0)
    crop = CropConfig(size=240, margin=2.0, edge="inside", codec="png")
    view = ViewConfig(sides=(0.9, 2.0))
    cut = crop_face(pixels, face, config=crop)
    views = views_of(pixels, face, crop=crop, view=view)
    factor = cut.square.side / crop.size
    for seed in range(20):
        shown = views.show(cut.pixels, 0, seed=seed)
        corner = (int(shown.left) + cut.square.left, int(shown.top) + cut.square.top)
        part = pixels[corner[1] :, corner[0] :][: shown.pixels.shape[0], : shown.pixels.shape[0]]
        assert np.abs(shown.pixels.astype(int) - part).mean() < 2
        np.testing.assert_allclose(
            shown.place(np.array([[100.0, 50.0]]))[0],
            np.array([100.0, 50.0]) * factor - (shown.left, shown.top),
        )


def test_partners_are_drawn_as_wide_over_their_boxes() -> None:
    small, large = scaled_face(0.7), scaled_face(1.2)
    table = pd.concat(
        [table_of(face, width=p.shape[1], height=p.shape[0]) for p, face in (small, large)],
        ignore_index=True,
    )
    views = CropViews(table, crop=WIDE, view=VIEW, is_drawn=True)
    crops = [stored(*one, WIDE) for one in (small, large)]
    for seed in range(30):
        widths = [
            views.show(crops[row], row, seed=seed, partner=1 - row).pixels.shape[0] / face.size_px
            for row, (_, face) in enumerate((small, large))
        ]
        assert widths[0] == pytest.approx(widths[1], abs=0.02)
    alone = [views.show(crops[1], 1, seed=seed).pixels.shape[0] for seed in range(30)]
    assert min(alone) / large[1].size_px < 0.95, "with the small one it is never so tight"


def test_real_and_fake_differ_inside_of_the_mask_alone(tmp_path: Path) -> None:
    snapshot = write_faces(tmp_path, face_pictures({"train": 3}), crop=WIDE)
    crops = collect_crops([snapshot])
    dense = {"other_face_p": 0.5}
    loader = pair_loader(
        crops,
        spec=SPEC,
        augment=AugmentConfig(is_enabled=False),
        blend=SelfBlendConfig(masks="dense", dense=dense),  # type: ignore[arg-type]
        crop=WIDE,
        batch_size=4,
        blended_share=1.0,
        frames_per_video=1,
        view=VIEW,
        map_side=4,
    )
    sides = set()
    for seed in range(12):
        shown, blend = loader.dataset.blended(PairDraw(0, None, seed))  # type: ignore[attr-defined]
        sides.add(shown.pixels.shape[0])
        assert blend.real.shape == blend.fake.shape == shown.pixels.shape
        outside = blend.mask == 0
        assert outside.any()
        assert (blend.real[outside] == blend.fake[outside]).all()
    assert len(sides) > 6
    inputs, labels, rows, maps = next(iter(loader))
    assert inputs.shape == (4, 3, 64, 64)
    assert maps.shape == (4, 4, 4)
    assert labels.tolist() == [0.0, 1.0] * 2
    assert (rows[1::2] - rows[::2]).tolist() == [3, 3]
    assert maps[::2].abs().max() == 0
    assert maps[1::2].amax(dim=(1, 2)).min() > 0


def test_face_without_dense_landmarks_is_blended_in_its_square(tmp_path: Path) -> None:
    snapshot = write_faces(tmp_path, face_pictures({"train": 1}), crop=WIDE)
    loader = pair_loader(
        collect_crops([snapshot]),
        spec=SPEC,
        augment=AugmentConfig(is_enabled=False),
        blend=SelfBlendConfig(),
        crop=WIDE,
        batch_size=2,
        blended_share=1.0,
        frames_per_video=1,
        view=VIEW,
    )
    for seed in range(20):
        real, fake = loader.dataset.pixels(PairDraw(0, None, seed))  # type: ignore[attr-defined]
        changed = np.argwhere((real != fake).any(axis=2))
        assert len(changed) > 0
        assert np.abs(changed.mean(axis=0) / real.shape[0] - 0.5).max() < 0.3


def test_classes_are_matched_in_the_pixels_that_faces_have(tmp_path: Path) -> None:
    small, large = scaled_face(0.6), scaled_face(1.2)
    pictures = [FacePicture(*small, label="real"), FacePicture(*large, label="fake")]
    crops = collect_crops([write_faces(tmp_path, pictures, crop=WIDE)])
    scales = {}
    for is_matched in (False, True):
        loader = training_loader(
            crops,
            spec=SPEC,
            augment=AugmentConfig(is_enabled=False, match_resolution=is_matched),
            crop=WIDE,
            batch_size=2,
            frames_per_video=1,
            view=VIEW,
        )
        shown = [loader.dataset.draw_square(row, seed=1).scale for row in (0, 1)]  # type: ignore[attr-defined]
        boxes = np.array([small[1].size_px, large[1].size_px])
        stored_px = np.minimum(320, np.round(2.2 * boxes))
        faces = np.array(shown) * 320 * np.minimum(boxes, 320 / 2.2) / stored_px
        scales[is_matched] = faces
    assert scales[False][1] > 1.8 * scales[False][0]
    assert scales[True][1] == pytest.approx(scales[True][0], rel=0.03)


def test_validation_takes_the_detectors_square(tmp_path: Path) -> None:
    pictures = face_pictures({"val": 2})
    wide = collect_crops([write_faces(tmp_path / "wide", pictures, crop=WIDE)])
    narrow_crop = VIEW.crop_of(WIDE)
    narrow = collect_crops([write_faces(tmp_path / "narrow", pictures, crop=narrow_crop)])
    out_of_wide = evaluation_dataset(wide, spec=SPEC, crop=WIDE, view=VIEW)
    as_scored = evaluation_dataset(narrow, spec=SPEC, crop=narrow_crop)
    for row in (0, 1):
        found, wanted = out_of_wide[row][0], as_scored[row][0]
        assert (found - wanted).abs().mean() < 0.012
        assert out_of_wide.detector_crop(row).shape == as_scored.detector_crop(row).shape
        gap = np.abs(out_of_wide.detector_crop(row).astype(int) - as_scored.detector_crop(row))
        assert gap.mean() < 2.5
