"""What a verdict says of a fake: which head names it, and what that means."""

from __future__ import annotations

from deepfake.detectors.bundles import HeadSpec
from deepfake.detectors.heads import describe_fake

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
    assert describe_fake(_HEADS, [sure]) == "looks blended: like a face laid over another"
    # Log-odds 0 and 4 again, under 3.
    other = _crop(blended=0.0, blended_2=6.0, generated=3.0)
    assert describe_fake(_HEADS, [other]) == "looks generated: like the fakes of its training data"


def test_a_single_head_has_no_name_to_give() -> None:
    assert describe_fake((HeadSpec(),), [{"logit": 1.0}]) is None
