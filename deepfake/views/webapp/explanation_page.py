"""The page that says what the numbers mean."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from deepfake.detectors.bundles import load_bundle
from deepfake.errors import DeepfakeError
from deepfake.registry.resolve import resolve_detector
from deepfake.views.report import false_alarms
from deepfake.views.webapp.upload_page import offered_detectors, page_settings
from deepfake.views.webapp.widgets import calibrated_on, say

__all__ = ["meaning_page"]

_PARTS = {
    "Probability of a fake": (
        "How likely it is, in the detector's eyes, that a face in the file was forged. It was "
        "fitted on files whose truth is known, half of them fakes: of many files with 80 %, about "
        "80 in 100 were fakes there. Files of another kind, or from where hardly anything is "
        "forged, follow it less well."
    ),
    "Verdict": (
        "Two thresholds, chosen so that few reals are called fake and few fakes real, cut the "
        "probabilities into three: real, not sure, fake. Between them nothing is decided."
    ),
    "Not sure": (
        "Also where a face is too small, too blurred, seen in too few frames, or unlike what the "
        "detector was fitted on, whatever its probability. The reason is given."
    ),
    "Not judged": ("No face was found, or the file could not be read. That says nothing about it."),
    "Looks real": (
        "Nothing was found of what this detector knows. It is no proof: a kind of forgery that it "
        "did not learn, such as a wholly generated picture, a changed mouth or a cloned voice, "
        "passes."
    ),
    "Several people": (
        "Each face is followed through a video, and a face's frames are put together before faces "
        "are. The more people there are, the likelier a false alarm."
    ),
    "Heat map": (
        "What in a face moved the score, checked by blurring it away. Not where somebody changed "
        "the face, and no exhibit."
    ),
    "What the file says of itself": (
        "Signatures (Content Credentials) and metadata stand beside the score and never in it. A "
        "valid signature proves who stands by a statement, not that it is true; metadata can be "
        "written by anybody; that there is nothing says nothing."
    ),
}


def meaning_page() -> None:
    """Say what the numbers mean, and how many alarms are false."""
    st.title("What the numbers mean")
    for heading, text in _PARTS.items():
        st.header(heading)
        say(text)
    st.header("How many alarms are false")
    say(
        "A detector that calls 5 of 100 reals fake is right about most alarms where half of the "
        "files are fakes, and wrong about most of them where one in a hundred is. From the rate "
        "that the thresholds of a detector were chosen for:"
    )
    choices = offered_detectors()
    if not choices.labels:
        say("There is no detector here, so no rate is known.")
        return
    named = st.selectbox("Detector", list(choices.labels), format_func=choices.labels.__getitem__)
    try:
        identity, _ = resolve_detector(str(named), data_root=page_settings().data_root)
        spec = load_bundle(identity.path).spec
    except DeepfakeError as error:
        say(f"{error.message}.")
        return
    rows = []
    for kind, own in (("stills", spec.thresholds_still), ("videos", spec.thresholds_video)):
        found = false_alarms(kind, own.model_dump(mode="json"))
        told = {} if found is None else found.shares
        rows.append(
            {"files": kind}
            | {
                f"{share:.0%} are fakes": f"{told[share]:.0%}" if share in told else "unknown"
                for share in (0.5, 0.1, 0.01)
            }
        )
    st.table(pd.DataFrame(rows).set_index("files"))
    say(
        *spec.reading_notes,
        *(calibrated_on(spec, kind) for kind in ("image", "video")),
        *spec.notes,
    )
