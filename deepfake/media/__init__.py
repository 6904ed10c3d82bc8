"""Probe, decode and encode pictures and videos. Only this package imports decoders and encoders.

Files are untrusted. Only regular local files are opened, formats that refer to other files are
rejected, sizes are checked before decoding, and every error of a decoder is raised as a
`MediaError`. Cameras and network addresses are opened only if the user names them, see
`parse_source`.
"""

from deepfake.media.compression import h264_round_trip, jpeg_round_trip
from deepfake.media.crops import decode_crop, encode_crop, encode_shown
from deepfake.media.encode import write_video
from deepfake.media.live import ArrivedFrame, Stream, open_stream
from deepfake.media.motion_photos import motion_video
from deepfake.media.native import available_decoders, limit_threads, quiet_native_logs
from deepfake.media.prefetch import read_ahead
from deepfake.media.probe import probe_media
from deepfake.media.recorder import VideoRecorder
from deepfake.media.sources import Source, parse_source
from deepfake.media.stills import probe_still, read_image, read_pages, write_image
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
    "motion_video",
    "open_stream",
    "open_video",
    "parse_source",
    "probe_media",
    "probe_still",
    "quiet_native_logs",
    "read_ahead",
    "read_image",
    "read_pages",
    "read_tags",
    "write_image",
    "write_video",
]
