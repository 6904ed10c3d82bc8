"""Pictures and videos: probing, decoding, encoding. The only importer of decoders and encoders.

Files come from strangers. Nothing but regular local files is opened, formats that name other
files are refused, sizes are checked before pixels exist, and whatever a library raises leaves
this package as a `MediaError`. The only exceptions are the cameras and addresses that a user
names to be watched, see `parse_source`.
"""

from deepfake.media.compression import h264_round_trip, jpeg_round_trip
from deepfake.media.crops import decode_crop, encode_crop, encode_shown
from deepfake.media.encode import write_video
from deepfake.media.live import ArrivedFrame, Stream, open_stream
from deepfake.media.native import available_decoders, limit_threads, quiet_native_logs
from deepfake.media.prefetch import read_ahead
from deepfake.media.probe import probe_media
from deepfake.media.recorder import VideoRecorder
from deepfake.media.sources import Source, parse_source
from deepfake.media.stills import probe_still, read_image, write_image
from deepfake.media.tags import read_tags
from deepfake.media.video import VideoReader, open_video

__all__ = [
    "ArrivedFrame",
    "Source",
    "Stream",
    "VideoReader",
    "VideoRecorder",
    "available_decoders",
    "decode_crop",
    "encode_crop",
    "encode_shown",
    "h264_round_trip",
    "jpeg_round_trip",
    "limit_threads",
    "open_stream",
    "open_video",
    "parse_source",
    "probe_media",
    "probe_still",
    "quiet_native_logs",
    "read_ahead",
    "read_image",
    "read_tags",
    "write_image",
    "write_video",
]
