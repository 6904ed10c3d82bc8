"""Stand-in: runs of whole frames with the sound beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from deepfake.config.sync import SyncExtractConfig
from deepfake.extract.extracted_medium import ExtractRequest, failure_as_outcome
from deepfake.media import open_video
from deepfake.media.sound import SAMPLE_RATE, open_sound
from deepfake.storage import medium_file
from deepfake.types import Kind, MouthRun, Outcome, Status

__all__ = ["ExtractedMouths", "MouthExtractor"]

RunT = TypeVar("RunT")


@dataclass(frozen=True, slots=True)
class ExtractedMouths(Generic[RunT]):
    """The runs of mouths and the outcome of one file."""

    outcome: Outcome
    kind: Kind | None = None
    runs: tuple[RunT, ...] = ()


class MouthExtractor:
    """Stand-in."""

    def __init__(
        self, config: SyncExtractConfig, *, cache: Path | None = None, client: Any = None
    ) -> None:
        self.config = config

    def find(self, request: ExtractRequest) -> ExtractedMouths[MouthRun]:
        """Return the first run of a file."""
        find = partial(self._find, request)
        found: ExtractedMouths[MouthRun] = failure_as_outcome(request, find, wrap=ExtractedMouths)
        return found

    def _find(self, request: ExtractRequest) -> ExtractedMouths[MouthRun]:
        mouths, limits = self.config.mouths, self.config.limits
        with medium_file(request.uri, max_bytes=limits.max_bytes) as path:
            reader = open_sound(path, limits=limits)
            if reader is None:
                return _without(request, Status.NO_SPEECH, "it has no sound")
            sound = np.zeros(int((mouths.run_seconds + 2) * SAMPLE_RATE), np.float32)
            end = 0
            with reader:
                for piece in reader.read(max_seconds=mouths.run_seconds + 1):
                    first = max(0, round(piece.pts_seconds * SAMPLE_RATE))
                    stop = min(len(sound), first + len(piece.samples))
                    sound[first:stop] = piece.samples[: max(0, stop - first)]
                    end = max(end, stop)
            with open_video(path, limits=limits) as video:
                wanted = range(min(video.info.num_frames, round(mouths.run_seconds * mouths.fps)))
                frames = [frame.pixels for frame in video.read(wanted)]
        if len(frames) < mouths.min_run_seconds * mouths.fps:
            return _without(request, Status.NO_FACE, "a speaking face is seen for too short a time")
        size = (mouths.size_px, mouths.size_px)
        grey = np.stack([cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size) for f in frames])
        lead = round(mouths.lead_seconds * SAMPLE_RATE)
        num = round(len(frames) / mouths.fps * SAMPLE_RATE)
        samples = np.concatenate([np.zeros(lead, np.float32), sound])[: num + 2 * lead]
        run = MouthRun(
            mouths=grey.astype(np.uint8),
            samples=samples,
            sound_span=(lead, min(len(samples), lead + end)),
            pts_seconds=0.0,
            end_seconds=len(frames) / mouths.fps,
            track_id=0,
            run_index=0,
            face_px=100.0,
            speech_seconds=len(frames) / mouths.fps,
        )
        outcome = Outcome(uri=request.uri, media_id=request.media_id, status=Status.OK)
        return ExtractedMouths(outcome, Kind.VIDEO, (run,))


def _without(request: ExtractRequest, status: Status, message: str) -> ExtractedMouths[MouthRun]:
    outcome = Outcome(uri=request.uri, media_id=request.media_id, status=status, message=message)
    return ExtractedMouths(outcome, Kind.VIDEO)
