"""Evidence for a score: timelines, frames, face crops, heat maps, and the file's provenance.

It is made from the file again after scoring, by media workers; a score never depends on it. In the
order in which it is made:

===============  ===============================================================================
`request`        a score and its faces, for which evidence is to be made
`selection`      choose the files of a scored folder that get evidence
`on_demand`      make what is missing, in batches or when somebody looks at it
`explain`        make the evidence for many scores in media workers, and write it
`explainer`      in a worker: make the evidence for one score, from
                 `timelines`, `voices`, `lips`, `frames`, `crops` (with `heat_maps`),
                 `provenance`
`records`        the evidence of a file, as it is written, read and removed
===============  ===============================================================================
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evidence.explain import (
        evidence_setup,
        explain_and_write,
        explain_media,
        explain_scores,
    )
    from deepfake.evidence.explainer import Explainer, ExplainerSetup
    from deepfake.evidence.on_demand import (
        MadeEvidence,
        make_evidence_batches,
        make_evidence_for,
        make_missing_evidence,
    )
    from deepfake.evidence.records import (
        CropEvidence,
        Evidence,
        EvidenceRecord,
        FaceBox,
        FrameEvidence,
        MouthBlock,
        SyncEvidence,
        TrackTimeline,
        VoiceEvidence,
        VoiceWindow,
        evidence_folder,
        list_evidence,
        load_evidence,
        read_picture,
        read_record,
        remove_evidence,
        write_evidence,
    )
    from deepfake.evidence.request import EvidenceRequest, create_request, has_score
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "CropEvidence",
    "Evidence",
    "EvidenceRecord",
    "EvidenceRequest",
    "Explainer",
    "ExplainerSetup",
    "FaceBox",
    "FrameEvidence",
    "MadeEvidence",
    "MouthBlock",
    "SyncEvidence",
    "TrackTimeline",
    "VoiceEvidence",
    "VoiceWindow",
    "create_request",
    "evidence_folder",
    "evidence_setup",
    "explain_and_write",
    "explain_media",
    "explain_scores",
    "has_score",
    "list_evidence",
    "load_evidence",
    "make_evidence_batches",
    "make_evidence_for",
    "make_missing_evidence",
    "read_picture",
    "read_record",
    "remove_evidence",
    "write_evidence",
]
