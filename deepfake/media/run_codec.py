"""Encode and decode runs of mouths with their sound, in the same way for shards and for scoring."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.errors import DecodeError, UnsupportedMediaError
from deepfake.media.sound_codec import decode_sound, encode_sound, round_trip_sound
from deepfake.types import MouthRun, StoredRun

__all__ = ["decode_run", "encode_run", "round_trip_run", "store_run"]

_QUALITY = 95
_LENGTH = struct.Struct("<I")
"""Bytes of the JPEG, which come before it; behind it is the FLAC stream."""


def encode_run(run: MouthRun) -> bytes:
    """Encode the mouths of a run, one below the other, as a grey JPEG, and its sound as FLAC.

    Args:
        run: At least one mouth, and sound.

    Raises:
        UnsupportedMediaError: There is no mouth or no sound, or the picture of all mouths is larger
            than a JPEG can be.
    """
    picture = _encode_mouths(run.mouths)
    return _LENGTH.pack(len(picture)) + picture + encode_sound(run.samples)


def decode_run(encoded: bytes | memoryview, *, record: Mapping[str, Any]) -> MouthRun:
    """Decode a run.

    Args:
        encoded: From `encode_run`, or a view of it in a shard.
        record: What is stored of it beside its bytes: a row of an index, or the fields of a
            `StoredRun`.

    Raises:
        DecodeError: The bytes are not those of such a run.
    """
    view = memoryview(encoded)
    if len(view) < _LENGTH.size:
        raise DecodeError(f"{len(view)} bytes are not a run of mouths")
    begin = _LENGTH.size
    end = begin + _LENGTH.unpack(view[:begin])[0]
    mouths = _decode_mouths(view[begin:end], num_mouths=int(record["num_mouths"]))
    first, last = (int(at) for at in record["sound_span"])
    try:
        return MouthRun(
            mouths=mouths,
            samples=decode_sound(view[end:]),
            sound_span=(first, last),
            pts_seconds=float(record["pts_seconds"]),
            end_seconds=float(record["end_seconds"]),
            track_id=int(record["track_id"]),
            run_index=int(record["run_index"]),
            face_px=float(record["face_px"]),
            speech_seconds=float(record["speech_seconds"]),
        )
    except ValueError as error:
        raise DecodeError(f"not a run of mouths ({error})") from error


def round_trip_run(run: MouthRun) -> MouthRun:
    """Return what `decode_run` returns of what `encode_run` makes of a run."""
    mouths = _decode_mouths(memoryview(_encode_mouths(run.mouths)), num_mouths=len(run.mouths))
    return replace(run, mouths=mouths, samples=round_trip_sound(run.samples))


def store_run(run: MouthRun) -> StoredRun:
    """Return a run as it is stored.

    Raises:
        UnsupportedMediaError: As of `encode_run`.
    """
    return StoredRun(
        encoded=encode_run(run),
        num_mouths=len(run.mouths),
        sound_span=run.sound_span,
        pts_seconds=run.pts_seconds,
        end_seconds=run.end_seconds,
        track_id=run.track_id,
        run_index=run.run_index,
        face_px=run.face_px,
        speech_seconds=run.speech_seconds,
    )


def _encode_mouths(mouths: NDArray[np.uint8]) -> bytes:
    column = mouths.reshape(-1, mouths.shape[-1])  # (T, S, S) -> (T * S, S)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    try:
        is_encoded, encoded = cv2.imencode(".jpg", column, options)
    except cv2.error as error:
        raise UnsupportedMediaError(f"cannot encode mouths of {mouths.shape}") from error
    if not is_encoded:
        raise UnsupportedMediaError(f"cannot encode mouths of {mouths.shape}")
    return bytes(encoded.data)


def _decode_mouths(encoded: memoryview, *, num_mouths: int) -> NDArray[np.uint8]:
    buffer = np.frombuffer(encoded, np.uint8)
    try:
        column = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE) if buffer.size else None
    except cv2.error as error:
        raise DecodeError(f"OpenCV cannot decode the mouths ({error.err})") from error
    if column is None or column.shape[0] != num_mouths * column.shape[1]:
        found = "nothing" if column is None else f"a picture of {column.shape}"
        raise DecodeError(f"{num_mouths} mouths were expected, got {found}")
    side = column.shape[1]
    mouths: NDArray[np.uint8] = np.asarray(column, np.uint8).reshape(num_mouths, side, side)
    return mouths
