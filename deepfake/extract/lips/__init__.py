"""Find mouths that speak, and the sound beside them.

choose_runs.py   which moments of a file, by its speech
film.py          the frames of such a run, and the faces in them
follow.py        landmarks at every moment out of some detections
mouths.py        the square around a mouth
soundtrack.py    sound on the time axis of the pictures
extractor.py     all of it, file by file, in a media worker
"""

from deepfake.extract.lips.extractor import (
    ExtractedMouths,
    MouthExtractor,
    MouthExtractorSetup,
    create_mouth_extractor,
    extract_mouths,
)

__all__ = [
    "ExtractedMouths",
    "MouthExtractor",
    "MouthExtractorSetup",
    "create_mouth_extractor",
    "extract_mouths",
]
