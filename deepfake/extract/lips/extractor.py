"""Extract the runs of mouths of one media file, with their sound.

Runs inside a media worker. Nothing depends on other files, so a file gives the same runs alone and
in any batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from deepfake.compute.device_process import DeviceClient
from deepfake.compute.workers import connect_device
from deepfake.config import MouthConfig, SyncExtractConfig
from deepfake.extract.extracted_medium import ExtractRequest, failure_as_outcome
from deepfake.extract.faces import MtcnnDetector, find_cuts, match_faces
from deepfake.extract.faces.remote import remote_networks
from deepfake.extract.lips.choose_runs import Spans, choose_runs, seconds_within
from deepfake.extract.lips.film import FilmedRun, film_run
from deepfake.extract.lips.follow import FollowedFace
from deepfake.extract.lips.soundtrack import Soundtrack, lay_out_sound
from deepfake.extract.speech import find_speech_spans
from deepfake.media import VideoReader, limit_threads, open_video, probe_still
from deepfake.media.run_codec import round_trip_run, store_run
from deepfake.media.sound import SoundReader, open_sound
from deepfake.storage import medium_file
from deepfake.types import NO_SOUND, Face, Kind, MouthRun, Outcome, Status, StoredRun

__all__ = [
    "ExtractedMouths",
    "MouthExtractor",
    "MouthExtractorSetup",
    "create_mouth_extractor",
    "extract_mouths",
]

RunT = TypeVar("RunT")


@dataclass(frozen=True, slots=True)
class ExtractedMouths(Generic[RunT]):
    """The runs of mouths and the outcome of one file.

    Attributes:
        outcome: Its outcome.
        kind: Image, video or audio; None if unknown.
        runs: Ascending in time and track; empty unless the status is `ok`.
    """

    outcome: Outcome
    kind: Kind | None = None
    runs: tuple[RunT, ...] = ()


@dataclass(frozen=True, slots=True)
class MouthExtractorSetup:
    """Settings of a worker that extracts runs of mouths.

    Attributes:
        config: Everything that can change a run.
        device: Device of the face detector, `cpu` or `cuda`.
        cache: Folder of networks converted for the CPU; None converts them in each worker.
    """

    config: SyncExtractConfig
    device: str = "cpu"
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class _Speaking:
    """The sound of a file, and where in it somebody speaks."""

    track: Soundtrack
    spans: Spans
    details: dict[str, Any]
    num_damaged: int

    @property
    def seconds(self) -> float:
        return sum(end - begin for begin, end in self.spans)


class MouthExtractor:
    """Extracts runs of mouths from one file after another.

    Args:
        config: Everything that can change a run.
        device: Device of the face detector, `cpu` or `cuda`.
        cache: Folder of networks converted for the CPU; None converts them here.
        client: Connection to the device process that runs the networks; None runs them here.
        detector: A detector of faces that is there already, of the same settings.
    """

    def __init__(
        self,
        config: SyncExtractConfig,
        *,
        device: str = "cpu",
        cache: Path | None = None,
        client: DeviceClient | None = None,
        detector: MtcnnDetector | None = None,
    ) -> None:
        self.config = config
        self._face_detector = detector or MtcnnDetector(
            config.faces,
            device=device,
            cache=cache,
            networks=None if client is None else remote_networks(client),
        )

    def extract(self, request: ExtractRequest) -> ExtractedMouths[StoredRun]:
        """Extract the runs of a file, encoded; an error becomes an outcome, not an exception."""
        started = time.perf_counter()
        extract = partial(self._extract, request)
        mouths: ExtractedMouths[StoredRun] = failure_as_outcome(
            request, extract, wrap=ExtractedMouths
        )
        return _timed(mouths, started)

    def find(self, request: ExtractRequest) -> ExtractedMouths[MouthRun]:
        """Find the runs of a file, as they are when they were stored and read again.

        An error becomes an outcome, not an exception.
        """
        started = time.perf_counter()
        find = partial(self._find, request)
        mouths: ExtractedMouths[MouthRun] = failure_as_outcome(request, find, wrap=ExtractedMouths)
        return _timed(mouths, started)

    def _extract(self, request: ExtractRequest) -> ExtractedMouths[StoredRun]:
        found = self._search(request)
        return ExtractedMouths(found.outcome, found.kind, tuple(map(store_run, found.runs)))

    def _find(self, request: ExtractRequest) -> ExtractedMouths[MouthRun]:
        found = self._search(request)
        return replace(found, runs=tuple(map(round_trip_run, found.runs)))

    def _search(self, request: ExtractRequest) -> ExtractedMouths[MouthRun]:
        with medium_file(request.uri, max_bytes=self.config.limits.max_bytes) as path:
            if not path.exists():
                message = f"the file has disappeared since it was listed: {request.uri}"
                raise FileNotFoundError(message)
            return self._search_file(request, path)

    def _search_file(self, request: ExtractRequest, path: Path) -> ExtractedMouths[MouthRun]:
        limits, needed = self.config.limits, self.config.speech.min_speech_seconds
        if probe_still(path, limits=limits) is not None:
            return _nothing(request, Status.NO_SPEECH, "a picture has no sound", kind=Kind.IMAGE)
        sound = open_sound(path, limits=limits)
        if sound is None:
            return _nothing(request, Status.NO_SPEECH, NO_SOUND, kind=Kind.VIDEO)
        with sound:
            if not sound.info.has_picture:
                return _nothing(request, Status.NO_PICTURE, "it has no picture", kind=Kind.AUDIO)
            speaking = self._listen(sound)
        if speaking.seconds < needed:
            message = f"{speaking.seconds:.1f} s of speech, {needed:g} s are needed"
            found = _nothing(request, Status.NO_SPEECH, message, kind=Kind.VIDEO)
            outcome = replace(found.outcome, speech_seconds=speaking.seconds)
            return replace(found, outcome=outcome)
        with open_video(path, limits=limits, decoder=request.decoder or "pyav") as reader:
            return self._compare(request, reader, speaking)

    def _listen(self, sound: SoundReader) -> _Speaking:
        speech, info = self.config.speech, sound.info
        pieces = list(sound.read(max_seconds=speech.max_sound_seconds))
        return _Speaking(
            track=lay_out_sound(pieces, max_seconds=speech.max_sound_seconds),
            spans=find_speech_spans(pieces, config=speech),
            details={"sound_codec": info.codec, "sample_rate": info.sample_rate},
            num_damaged=sound.num_damaged,
        )

    def _compare(
        self, request: ExtractRequest, reader: VideoReader, speaking: _Speaking
    ) -> ExtractedMouths[MouthRun]:
        films = self._film(reader, speaking)
        with_faces = sorted((film for film in films if film.faces), key=lambda f: f.seconds[0])
        runs = _runs_of(with_faces, speaking, config=self.config.mouths)
        wanted = sum(film.num_wanted for film in films)
        read = sum(len(film.frames) for film in films)
        damaged = speaking.num_damaged
        notes = [f"damaged packets of its sound were left out: {damaged}"] if damaged else []
        if not runs:
            notes.insert(0, _why_no_run(films, speaking, config=self.config.mouths))
        outcome = Outcome(
            uri=request.uri,
            media_id=request.media_id,
            status=Status.OK if runs else Status.NO_FACE,
            message="; ".join(notes) or None,
            is_partial=read < wanted or damaged > 0 or reader.is_truncated,
            frames_wanted=wanted,
            frames_read=read,
            num_windows=len(runs),
            speech_seconds=speaking.seconds,
            details={**_picture_details(reader), **speaking.details},
        )
        return ExtractedMouths(outcome, Kind.VIDEO, tuple(runs))

    def _film(self, reader: VideoReader, speaking: _Speaking) -> list[FilmedRun]:
        """Decode runs until as many as there may be show a face, or none is left."""
        begin, config = reader.start_seconds, self.config.mouths
        chosen = choose_runs(
            speaking.spans,
            begin_seconds=max(begin, speaking.track.begin_seconds),
            end_seconds=min(begin + reader.info.duration_seconds, speaking.track.end_seconds),
            config=config,
        )
        films: list[FilmedRun] = []
        for first, last in chosen:
            if sum(bool(film.faces) for film in films) == config.max_runs:
                break
            film = film_run(
                reader,
                begin_seconds=first,
                end_seconds=last,
                detector=self._face_detector,
                config=config,
                last=films[-1].detected[-1] if films and films[-1].detected else None,
            )
            films.append(film)
        return films


def _runs_of(
    films: Sequence[FilmedRun], speaking: _Speaking, *, config: MouthConfig
) -> list[MouthRun]:
    """Return the runs of all faces; a face has one track in the runs of one shot."""
    runs: list[MouthRun] = []
    tracks: list[tuple[int, Face]] = []
    before: FilmedRun | None = None
    count = 0
    for run_index, film in enumerate(films):
        known = tracks if before is not None and _is_same_shot(before, film) else []
        matches = match_faces([face for _, face in known], [face.begin for face in film.faces])
        tracks = []
        for number, face in enumerate(film.faces):
            track_id = known[matches[number]][0] if number in matches else count
            count = max(count, track_id + 1)
            tracks.append((track_id, face.end))
            runs.append(
                _run_of(film, face, speaking, run_index=run_index, track_id=track_id, config=config)
            )
        before = film
    return sorted(runs, key=lambda run: (run.run_index, run.track_id))


def _is_same_shot(before: FilmedRun, now: FilmedRun) -> bool:
    return not find_cuts([before.detected[-1].signature, now.detected[0].signature])[1]


def _run_of(
    film: FilmedRun,
    face: FollowedFace,
    speaking: _Speaking,
    *,
    run_index: int,
    track_id: int,
    config: MouthConfig,
) -> MouthRun:
    begin = float(film.seconds[face.first])
    end = begin + len(face.landmarks) / config.fps
    lead = config.lead_seconds
    samples, span = speaking.track.cut(begin_seconds=begin - lead, end_seconds=end + lead)
    return MouthRun(
        mouths=film.mouths_of(face, config=config),
        samples=samples,
        sound_span=span,
        pts_seconds=begin,
        end_seconds=end,
        track_id=track_id,
        run_index=run_index,
        face_px=face.face_px,
        speech_seconds=seconds_within(speaking.spans, begin=begin, end=end),
    )


def _why_no_run(films: Sequence[FilmedRun], speaking: _Speaking, *, config: MouthConfig) -> str:
    """Return the sentence on a file without a run."""
    needed = config.min_run_seconds
    if not films:
        return f"no {needed:g} s of picture together with enough speech"
    return f"no face is seen for {needed:g} s at a time where there is speech"


def _picture_details(reader: VideoReader) -> dict[str, Any]:
    info = reader.info
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


def _nothing(
    request: ExtractRequest, status: Status, message: str, *, kind: Kind
) -> ExtractedMouths[MouthRun]:
    outcome = Outcome(
        uri=request.uri,
        media_id=request.media_id,
        status=status,
        message=message,
        num_windows=0,
    )
    return ExtractedMouths(outcome, kind)


def _timed(mouths: ExtractedMouths[RunT], started: float) -> ExtractedMouths[RunT]:
    seconds = time.perf_counter() - started
    return replace(mouths, outcome=replace(mouths.outcome, seconds=seconds))


def create_mouth_extractor(setup: MouthExtractorSetup) -> MouthExtractor:
    """Set up a worker: one thread a library, silent decoders, networks loaded once."""
    limit_threads()
    return MouthExtractor(
        setup.config, device=setup.device, cache=setup.cache, client=connect_device()
    )


def extract_mouths(
    extractor: MouthExtractor, request: ExtractRequest
) -> ExtractedMouths[StoredRun]:
    """Extract one file in a worker."""
    return extractor.extract(request)
