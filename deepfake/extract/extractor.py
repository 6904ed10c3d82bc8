"""Extract the face crops of one media file: decode, detect, crop, track.

Runs inside a media worker. Nothing depends on other files, so a file gives the same crops alone and
in any batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.device_process import DeviceClient
from deepfake.compute.workers import connect_device
from deepfake.config import CropConfig, DecoderName, ExtractConfig
from deepfake.extract.extracted_medium import (
    ExtractedMedium,
    ExtractRequest,
    failure_as_outcome,
    with_seconds,
)
from deepfake.extract.faces import (
    MtcnnDetector,
    SeenFrame,
    build_tracks,
    crop_face,
    detect_frames,
    find_cuts,
    find_turn,
    is_surely_upright,
    turn_frame,
)
from deepfake.extract.faces.area_resize import FrameView
from deepfake.extract.faces.remote import remote_networks
from deepfake.extract.outcome_text import (
    outcome_of,
    truncation_message,
    turn_message,
    with_small_faces,
)
from deepfake.extract.sampling import sample_indices, spread_order
from deepfake.media import (
    VideoReader,
    encode_crop,
    limit_threads,
    motion_video,
    open_video,
    probe_still,
    read_ahead,
    read_pages,
)
from deepfake.media.stills import MAX_PAGES
from deepfake.storage import medium_file
from deepfake.types import Face, FaceCrop, Frame, MediaInfo, Outcome, Status

__all__ = [
    "ExtractRequest",
    "ExtractedMedium",
    "Extractor",
    "ExtractorSetup",
    "create_extractor",
    "extract_medium",
    "limit_threads",
    "make_crop",
]

_MAX_EXTRA = 2
"""At most so many extra frames per sampled frame, if sampled frames show no face."""

_FRAMES_TURNED = 3
"""Frames of a video in which faces are looked for in other turns, before all are."""


@dataclass(frozen=True, slots=True)
class ExtractorSetup:
    """Settings of a worker that extracts.

    Attributes:
        config: Everything that can change a crop.
        decoder: Decoder for videos.
        device: Device of the face detector, `cpu` or `cuda`.
        cache: Folder of networks converted for the CPU; None converts them in each worker.
    """

    config: ExtractConfig
    decoder: DecoderName = "pyav"
    device: str = "cpu"
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class _ExtractedFrame:
    """A frame after detection: its faces and crops, without the pixels."""

    frame_index: int
    pts_seconds: float
    signature: NDArray[np.float32]
    faces: tuple[Face, ...]
    crops: tuple[FaceCrop, ...]
    num_small: int = 0


@dataclass(frozen=True, slots=True)
class _Sampled:
    """The frames of a medium after detection, and by how much they were turned before."""

    frames: list[_ExtractedFrame]
    wanted: int
    read: int
    turn: int = 0


class Extractor:
    """Extracts face crops from one file after another.

    Args:
        config: Everything that can change a crop.
        decoder: Decoder for videos.
        device: Device of the face detector, `cpu` or `cuda`.
        cache: Folder of networks converted for the CPU; None converts them here.
        client: Connection to the device process that runs the networks; None runs them here.
        has_motion: Whether the video behind a still is extracted too.
    """

    def __init__(
        self,
        config: ExtractConfig,
        *,
        decoder: DecoderName = "pyav",
        device: str = "cpu",
        cache: Path | None = None,
        client: DeviceClient | None = None,
        has_motion: bool = False,
    ) -> None:
        self.config = config
        self._has_motion = has_motion
        self.decoder: DecoderName = decoder
        self.device = device
        self._face_detector = MtcnnDetector(
            config.faces,
            device=device,
            cache=cache,
            networks=None if client is None else remote_networks(client),
        )

    def extract(self, request: ExtractRequest) -> ExtractedMedium:
        """Extract the crops of a file; an error becomes an outcome, not an exception."""
        started = time.perf_counter()
        extract = partial(self._extract, request)
        medium = failure_as_outcome(request, extract, wrap=ExtractedMedium)
        return with_seconds(medium, time.perf_counter() - started)

    def _extract(self, request: ExtractRequest) -> ExtractedMedium:
        with medium_file(request.uri, max_bytes=self.config.limits.max_bytes) as path:
            return self._extract_file(request, path)

    def _extract_file(self, request: ExtractRequest, path: Path) -> ExtractedMedium:
        if not path.exists():
            raise FileNotFoundError(f"the file has disappeared since it was listed: {request.uri}")
        still = probe_still(path, limits=self.config.limits)
        if still is not None:
            medium = self._extract_still(request, still, path)
            motion = self._extract_motion(request, path) if self._has_motion else None
            return replace(medium, motion=motion)
        return self._extract_video_file(request, path)

    def _extract_motion(self, request: ExtractRequest, path: Path) -> ExtractedMedium | None:
        """Return the outcome of the video behind a still; None where there is none."""
        with motion_video(path, limits=self.config.limits) as video:
            if video is None:
                return None
            extract = partial(self._extract_video_file, request, video)
            return failure_as_outcome(request, extract, wrap=ExtractedMedium)

    def _extract_video_file(self, request: ExtractRequest, path: Path) -> ExtractedMedium:
        decoder = request.decoder or self.decoder
        with open_video(path, decoder=decoder, limits=self.config.limits) as reader:
            return self._extract_video(request, reader)

    def _extract_still(
        self, request: ExtractRequest, info: MediaInfo, path: Path
    ) -> ExtractedMedium:
        pages = list(read_pages(path, limits=self.config.limits))
        seen = [self._search(page) for page in pages]
        found = [page.faces for page in seen]
        turn = find_turn(pages, found, detect=self._face_detector.detect)
        if turn:
            seen = [self._search(turn_frame(page, turn)) for page in pages]
        frames = [self._crops_of(page, max_faces=self.config.faces.max_faces) for page in seen]
        wanted = min(info.num_frames, MAX_PAGES)
        sampled = _Sampled(frames, wanted=wanted, read=len(frames), turn=turn)
        return self._finish(request, info, sampled, is_truncated=info.num_frames > wanted)

    def _search(self, page: Frame) -> SeenFrame:
        """Detect the faces of a picture, and count smaller ones where there is none."""
        (seen,) = detect_frames([page], detector=self._face_detector)
        if seen.faces:
            return seen
        count = self._face_detector.count_small(FrameView(page.pixels))
        return replace(seen, num_small=max(seen.num_small, count))

    def _extract_video(self, request: ExtractRequest, reader: VideoReader) -> ExtractedMedium:
        indices = sample_indices(
            reader.pts_seconds,
            config=self.config.sampling,
            duration_seconds=reader.info.duration_seconds,
            is_key=reader.is_key,
        )
        max_faces = min(
            self.config.faces.max_faces, max(1, self.config.max_crops // max(1, len(indices)))
        )
        sampled = self._sample(reader, indices, max_faces=max_faces)
        if turn := self._find_turn(reader, sampled.frames):
            sampled = self._sample(reader, indices, max_faces=max_faces, turn=turn)
        return self._finish(request, reader.info, sampled, is_truncated=reader.is_truncated)

    def _sample(
        self, reader: VideoReader, indices: NDArray[np.int64], *, max_faces: int, turn: int = 0
    ) -> _Sampled:
        extract = partial(self._extract_frames, reader, max_faces=max_faces, turn=turn)
        frames = list(extract(indices.tolist()))
        read = len(frames)
        frames += self._more_frames_with_faces(reader, frames, indices, extract=extract)
        frames.sort(key=lambda seen: seen.frame_index)
        return _Sampled(frames, wanted=len(indices), read=read, turn=turn)

    def _find_turn(self, reader: VideoReader, frames: Sequence[_ExtractedFrame]) -> int:
        """Return by how much the frames of a video are turned, judged by a few of them."""
        if any(is_surely_upright(face) for seen in frames for face in seen.faces):
            return 0
        step = max(1, -(-len(frames) // _FRAMES_TURNED))
        tried = list(reader.read([seen.frame_index for seen in frames[step // 2 :: step]]))
        found = [seen.faces for seen in frames]
        return find_turn(tried, found, detect=self._face_detector.detect)

    def _more_frames_with_faces(
        self,
        reader: VideoReader,
        frames: Sequence[_ExtractedFrame],
        indices: NDArray[np.int64],
        *,
        extract: Callable[[Sequence[int]], Iterator[_ExtractedFrame]],
    ) -> list[_ExtractedFrame]:
        """Extract further frames until as many show a face as were sampled.

        They are taken from the largest gaps between frames. The size of each round assumes that as
        many of its frames show a face as before; a round without any face is the last.
        """
        taken: list[int] = indices.tolist()
        lacking = sum(not seen.faces for seen in frames)
        num_with_face = len(frames) - lacking
        left = _MAX_EXTRA * len(indices) if self.config.sampling.strategy == "uniform" else 0
        more: list[_ExtractedFrame] = []
        while lacking > 0 and left > 0:
            need = -(-lacking * len(taken) // num_with_face) if num_with_face else lacking
            order = spread_order(len(reader.pts_seconds), taken=taken, limit=min(need, left))
            found = {seen.frame_index: seen for seen in extract(sorted(order)) if seen.faces}
            best_first = [found[index] for index in order if index in found]
            if not best_first:
                break
            more += best_first[:lacking]
            lacking, left = lacking - len(best_first), left - len(order)
            num_with_face += len(best_first)
            taken += order
        return more

    def _extract_frames(
        self, reader: VideoReader, indices: Sequence[int], *, max_faces: int, turn: int
    ) -> Iterator[_ExtractedFrame]:
        frames = (turn_frame(frame, turn) for frame in read_ahead(reader.read(indices)))
        is_guided = self.config.faces.is_guided
        for seen in detect_frames(frames, detector=self._face_detector, is_guided=is_guided):
            yield self._crops_of(seen, max_faces=max_faces)

    def _crops_of(self, seen: SeenFrame, *, max_faces: int) -> _ExtractedFrame:
        faces = seen.faces[:max_faces]
        return _ExtractedFrame(
            frame_index=seen.frame.frame_index,
            pts_seconds=seen.frame.pts_seconds,
            signature=seen.signature,
            faces=faces,
            crops=tuple(make_crop(seen.frame, face, config=self.config.crop) for face in faces),
            num_small=seen.num_small,
        )

    def _finish(
        self,
        request: ExtractRequest,
        info: MediaInfo,
        sampled: _Sampled,
        *,
        is_truncated: bool = False,
    ) -> ExtractedMedium:
        wanted, read, turn = sampled.wanted, sampled.read, sampled.turn
        crops = _tracked_crops(sampled.frames)
        status, message = outcome_of(wanted=wanted, read=read, num_faces=len(crops))
        kept = tuple(crops) if status is Status.OK else ()
        if message is None and is_truncated:
            message = truncation_message(info)
        num_small = max((seen.num_small for seen in sampled.frames), default=0)
        if num_small and status in (Status.OK, Status.NO_FACE):
            message = with_small_faces(message, num_small)
        if kept and turn:
            message = "; ".join(filter(None, (message, turn_message(turn))))
        size = info.frame_wh
        outcome = Outcome(
            uri=request.uri,
            media_id=request.media_id,
            status=status,
            error_type="DecodeError" if status is Status.DECODE_ERROR else None,
            message=message,
            is_partial=read < wanted or is_truncated,
            frames_wanted=wanted,
            frames_read=read,
            num_faces=len(kept),
            details=_details(info),
        )
        turned_size = size if turn % 180 == 0 else size[::-1]
        return ExtractedMedium(outcome, info.kind, kept, turned_size, turned_degrees=turn)


def make_crop(frame: Frame, face: Face, *, config: CropConfig) -> FaceCrop:
    """Return the encoded crop of a face, without a track.

    Args:
        frame: The frame.
        face: A face in it.
        config: Size, margin and codec of the crop.
    """
    cropped = crop_face(frame.pixels, face, config=config)
    return FaceCrop(
        encoded=encode_crop(cropped.pixels, config=config),
        face=face,
        track_id=-1,
        pts_seconds=frame.pts_seconds,
        frame_index=frame.frame_index,
        sharpness=cropped.sharpness,
        brightness=cropped.brightness,
    )


def _tracked_crops(frames: Sequence[_ExtractedFrame]) -> list[FaceCrop]:
    """Return all crops with their track ids."""
    cuts = find_cuts([seen.signature for seen in frames])
    tracks = build_tracks(
        [((seen.frame_index, seen.pts_seconds), seen.faces) for seen in frames], cuts=cuts
    )
    track_of = {
        (index, face.bbox_xyxy): track.track_id
        for track in tracks
        for index, face in zip(track.frame_indices, track.faces, strict=True)
    }
    crops = [
        replace(crop, track_id=track_of[(seen.frame_index, crop.face.bbox_xyxy)])
        for seen in frames
        for crop in seen.crops
    ]
    return sorted(crops, key=lambda crop: (crop.frame_index, crop.track_id))


def _details(info: MediaInfo) -> dict[str, Any]:
    return {
        "kind": str(info.kind),
        "codec": info.codec,
        "container": info.container,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "fps": None if info.fps is None else float(info.fps),
        "num_frames": info.num_frames,
        "duration_seconds": info.duration_seconds,
        "has_audio": info.has_audio,
    }


def create_extractor(setup: ExtractorSetup) -> Extractor:
    """Set up a worker: one thread a library, silent decoders, networks loaded once."""
    limit_threads()
    return Extractor(
        setup.config,
        decoder=setup.decoder,
        device=setup.device,
        cache=setup.cache,
        client=connect_device(),
    )


def extract_medium(extractor: Extractor, request: ExtractRequest) -> ExtractedMedium:
    """Extract one file in a worker."""
    return extractor.extract(request)
