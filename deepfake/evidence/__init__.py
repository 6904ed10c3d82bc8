"""What moved a score, and what a file says of its own making: evidence for people to look at.

Made again from the file, in media workers, after the scores are there; a score never depends on
it.
"""

from deepfake.evidence.batch import explain_media, explainer_setup
from deepfake.evidence.build import (
    STEP_VERSION,
    Explainer,
    ExplainerSetup,
    MadeEvidence,
    create_explainer,
    explain_medium,
    provenance_of,
)
from deepfake.evidence.records import (
    CropEvidence,
    EvidenceRecord,
    FaceBox,
    FrameEvidence,
    TrackTimeline,
    evidence_folder,
    kept_evidence,
    read_evidence,
    read_picture,
    remove_evidence,
    write_evidence,
)
from deepfake.evidence.timelines import ExplainRequest, thresholds_shown, timelines

__all__ = [
    "STEP_VERSION",
    "CropEvidence",
    "EvidenceRecord",
    "ExplainRequest",
    "Explainer",
    "ExplainerSetup",
    "FaceBox",
    "FrameEvidence",
    "MadeEvidence",
    "TrackTimeline",
    "create_explainer",
    "evidence_folder",
    "explain_media",
    "explain_medium",
    "explainer_setup",
    "kept_evidence",
    "provenance_of",
    "read_evidence",
    "read_picture",
    "remove_evidence",
    "thresholds_shown",
    "timelines",
    "write_evidence",
]
