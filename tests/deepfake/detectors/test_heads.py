"""Which head a verdict names."""

from __future__ import annotations

from deepfake.detectors.bundles import HeadSpec
from deepfake.detectors.heads import surest_head

_HEADS = (
    HeadSpec(name="blended", learns_from="self_blended"),
    HeadSpec(name="blended_2", learns_from="self_blended", center=-2.0, scale=2.0),
    HeadSpec(name="generated", learns_from="labelled"),
)


def _crop(**logits: float) -> dict[str, float]:
    return {f"logit_{name}": value for name, value in logits.items()}


def test_heads_of_one_question_have_one_voice_under_the_first_ones_name() -> None:
    # Log-odds 0 and 4, which is 2 for blended faces, over 1 for generated ones.
    sure = _crop(blended=0.0, blended_2=6.0, generated=1.0)
    assert surest_head(_HEADS, [sure]) == "blended"
    # Log-odds 0 and 4 again, under 3.
    assert surest_head(_HEADS, [_crop(blended=0.0, blended_2=6.0, generated=3.0)]) == "generated"


def test_a_single_head_has_no_name_to_give() -> None:
    assert surest_head((HeadSpec(),), [{"logit": 1.0}]) is None
