"""The page that explains the numbers: probability, verdict, evidence, false alarms."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from deepfake.detectors.bundles import DetectorSpec, load_bundle
from deepfake.errors import DeepfakeError
from deepfake.registry.resolve import resolve_detector
from deepfake.types import PICTURE_KINDS
from deepfake.verdicts.judgement import judgement_kind, judgement_plural
from deepfake.views.report import FAKE_SHARES, false_alarms
from deepfake.views.webapp.upload_page import list_offered_detectors, page_settings
from deepfake.views.webapp.verdict_box import show_text
from deepfake.views.webapp.widgets import describe_calibration

__all__ = ["explanation_page"]

_EXPLANATIONS = {
    "No sign found": (
        "The detector found no sign of the kinds of forgery that it learnt. It is no proof that a "
        "file is real: a kind that it did not learn, such as a wholly generated picture, a changed "
        "mouth or a cloned voice, often passes. Below a score stands how many such fakes were "
        "called so where that was measured. In tables this verdict is the value `real`."
    ),
    "Probability of a fake": (
        "How likely it is, by this detector, that a face in the file was forged. It is calibrated "
        "on labelled files, half of them fakes: of those with 80 %, about 80 in 100 are fakes. It "
        "holds less well for other kinds of files, and where hardly any file is forged."
    ),
    "Verdict": (
        "Two thresholds, chosen so that few reals are called fake and few fakes real, divide the "
        "probabilities into three: no sign found, not sure, fake. Between them nothing is decided."
    ),
    "Not sure": (
        "Also where a face is too small, too blurred, seen in too few frames, or unlike those that "
        "the detector was calibrated on, whatever its probability. The reason is given."
    ),
    "Not judged": ("No face was found, or the file could not be read. That says nothing about it."),
    "Several people": (
        "Each face is tracked through a video. The frames of a face are combined first, then the "
        "faces. The more people there are, the likelier is a false alarm."
    ),
    "Voice": (
        "A detector of its own judges how speech sounds, not what is said, in windows of some "
        "seconds. Its verdict stands beside that on faces, and neither changes the other. A voice "
        "is not judged where there is too little speech; where no sign is found, a program that "
        "the detector did not learn may have made it all the same."
    ),
    "Heat map": (
        "Which parts of a face moved the score, checked by blurring them. It does not show where "
        "somebody changed the face, and is no proof."
    ),
    "What the file says about itself": (
        "Signatures (Content Credentials) and metadata are shown beside the score and are no part "
        "of it. A valid signature proves who made a statement, not that it is true; anybody can "
        "write metadata; and a file without either is neither more nor less likely a fake."
    ),
}


def explanation_page() -> None:
    """Explain the numbers, and show how many alarms of a detector are false."""
    st.title("What the numbers mean")
    for heading, text in _EXPLANATIONS.items():
        st.header(heading)
        show_text(text)
    st.header("How many alarms are false")
    show_text(
        "A detector that calls 5 of 100 reals fake is right about most alarms where half of the "
        "files are fakes, and wrong about most of them where one in a hundred is. Computed from "
        "the false-alarm rate that the thresholds were chosen for:"
    )
    choices = list_offered_detectors()
    if not choices.labels:
        show_text("There is no detector here, so the rate is unknown.")
        return
    named = st.selectbox("Detector", list(choices.labels), format_func=choices.labels.__getitem__)
    try:
        identity, _ = resolve_detector(str(named), data_root=page_settings().data_root)
        spec = load_bundle(identity.path).spec
    except DeepfakeError as error:
        show_text(f"{error.message}.")
        return
    st.table(_false_alarm_table(spec))
    show_text(
        *spec.reading_notes,
        *(
            describe_calibration(spec, kind)
            for kind in PICTURE_KINDS
            if judgement_kind(kind) in spec.judgement
        ),
    )
    if spec.all_notes:
        with st.expander("How the detector was trained and calibrated, for engineers"):
            show_text(*spec.all_notes)


def _false_alarm_table(spec: DetectorSpec) -> pd.DataFrame:
    rows = []
    for kind, own in spec.judgement.items():
        alarms = false_alarms(judgement_plural(kind), own.thresholds.model_dump(mode="json"))
        known = {} if alarms is None else alarms.shares
        cells = {
            f"{share:.0%} are fakes": f"{known[share]:.0%}" if share in known else "unknown"
            for share in FAKE_SHARES
        }
        rows.append({"files": judgement_plural(kind), **cells})
    return pd.DataFrame(rows).set_index("files")
