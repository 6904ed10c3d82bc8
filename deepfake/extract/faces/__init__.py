"""Find faces in frames, follow them over time, and cut the square that a model sees."""

from deepfake.extract.faces.colour import spread_of_colour
from deepfake.extract.faces.crops import (
    CroppedFace,
    Square,
    crop_face,
    landmarks_in_square,
    place_square,
)
from deepfake.extract.faces.dense_landmarks import (
    DENSE_MODEL_SHA256,
    NUM_DENSE_LANDMARKS,
    DenseLandmarker,
)
from deepfake.extract.faces.guided import LiveFaceDetector, SeenFrame, detect_frames
from deepfake.extract.faces.mtcnn import MtcnnDetector
from deepfake.extract.faces.networks import NetworkName, Networks, weights_digest
from deepfake.extract.faces.tracks import build_tracks, find_cuts, frame_signature, match_faces
from deepfake.extract.faces.turns import find_turn, is_surely_upright, turn_box, turn_frame

__all__ = [
    "DENSE_MODEL_SHA256",
    "NUM_DENSE_LANDMARKS",
    "CroppedFace",
    "DenseLandmarker",
    "LiveFaceDetector",
    "MtcnnDetector",
    "NetworkName",
    "Networks",
    "SeenFrame",
    "Square",
    "build_tracks",
    "crop_face",
    "detect_frames",
    "find_cuts",
    "find_turn",
    "frame_signature",
    "is_surely_upright",
    "landmarks_in_square",
    "match_faces",
    "place_square",
    "spread_of_colour",
    "turn_box",
    "turn_frame",
    "weights_digest",
]
