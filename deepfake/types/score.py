"""The score of one file, and its verdicts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from deepfake.types.media import Kind
from deepfake.types.outcome import Status

__all__ = ["Score", "SyncVerdict", "Verdict"]


class Verdict(StrEnum):
    """The verdict on a file, for people."""

    REAL = "real"
    FAKE = "fake"
    UNCERTAIN = "uncertain"
    NOT_APPLICABLE = "not_applicable"


class SyncVerdict(StrEnum):
    """Whether the lips of a file say its words; agreement is no sign of a real file."""

    MISMATCH = "mismatch"
    NO_MISMATCH = "no_mismatch"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of one file, or why it has none; a row of the scores table.

    Attributes:
        uri: The file.
        media_id: SHA-256 of its bytes; None where they cannot be read.
        kind: What it was looked at as; None where that is unknown.
        status: See `Status`.
        verdict: What a person reads; `not_applicable` without a score.
        reason: Why the verdict is what it is, or why there is none.
        prob_fake: How probable a fake is; there if and only if the status is `ok`.
        logit: What the probability is made from.
        likelihood_ratio: How many times more probable the score is for a fake than for a real file;
            None where the detector does not support any.
        likelihood_ratio_min: The least that the detector states; None as above.
        likelihood_ratio_max: The most that it states.
        num_faces: Faces found, over all frames.
        num_tracks: People followed.
        num_frames: Frames that show a face.
        strongest_track_id: The track that decides.
        strongest_pts_seconds: The moment of its strongest frame.
        turned_degrees: Degrees clockwise by which the picture was turned, as no upright face was
            found in it as it is shown; 0 where it was not turned, None without a face.
        is_partial: Whether fewer frames were read than were asked for.
        frames_wanted: Frames asked for.
        frames_read: Frames decoded.
        error_type: Name of the error class, None if there was none.
        message: One sentence for a person, None if there is nothing to say.
        model_name: Name of the detector.
        model_version: The registry's version; None for a bundle from disk.
        model_digest: Of the detector's description and weights.
        config_digest: Of all settings that can change a score.
        prior: Share of fakes that `prob_fake` and `prob_fake_voice` hold for.
        seconds: Wall time of reading, decoding, finding and cropping faces.
        verdict_voice: What a person reads of its voice; `not_applicable` without a score, None
            where nobody asked.
        reason_voice: Why that verdict is what it is, or why there is no score.
        prob_fake_voice: How probable spoofed speech is; None without a score.
        logit_voice: What that probability is made from.
        likelihood_ratio_voice: As `likelihood_ratio`, of the voice.
        likelihood_ratio_voice_min: The least that the voice's detector states.
        likelihood_ratio_voice_max: The most that it states.
        novelty_voice: Distance of the voice from those learnt from.
        speech_seconds: Speech found in its sound.
        num_windows: Windows of speech that were judged.
        strongest_voice_pts_seconds: Where the window begins that looks most like a fake.
        strongest_voice_end_seconds: Where it ends.
        voice_model_name: Name of the voice's detector.
        voice_model_version: The registry's version; None for a bundle from disk.
        voice_model_digest: Of that detector's description and weights.
        verdict_sync: Whether its lips say its words; `not_applicable` without a score, None where
            nobody asked.
        reason_sync: Why that verdict is what it is, or why there is no score.
        prob_mismatch: How probable it is that lips and sound were not recorded together; None
            without a score.
        logit_sync: What that probability is made from.
        likelihood_ratio_sync: As `likelihood_ratio`, of lips and sound.
        likelihood_ratio_sync_min: The least that their detector states.
        likelihood_ratio_sync_max: The most that it states.
        offset_sync_seconds: Of the sound against the picture, throughout; positive where it is
            late.
        is_out_of_sync: Whether that is more than people tolerate; no sign of a fake.
        num_runs: Runs of moments that were compared.
        speaking_track_id: The track whose lips fit the sound best; None where it is not known.
        strongest_sync_pts_seconds: Where the moment begins that fits least.
        strongest_sync_end_seconds: Where it ends.
        sync_model_name: Name of the detector of lips and sound.
        sync_model_version: The registry's version; None for a bundle from disk.
        sync_model_digest: Of that detector's description and weights.
        verdict_file: What a person reads of the file, from all answers; None in tables of earlier
            versions.
        reason_file: Which answer says so.
        prob_fake_file: How probable it is that anything of it is a fake; None without an answer.
        likelihood_ratio_file: As `likelihood_ratio`, of all answers together.

    Raises:
        ValueError: A probability without the status `ok`, or that status without one; a
            probability of the voice, or of a mismatch, without a verdict on it.
    """

    uri: str
    media_id: str | None
    kind: Kind | None = None
    status: Status
    verdict: Verdict
    reason: str | None = None
    prob_fake: float | None = None
    logit: float | None = None
    likelihood_ratio: float | None = None
    likelihood_ratio_min: float | None = None
    likelihood_ratio_max: float | None = None
    num_faces: int | None = None
    num_tracks: int | None = None
    num_frames: int | None = None
    strongest_track_id: int | None = None
    strongest_pts_seconds: float | None = None
    turned_degrees: int | None = None
    is_partial: bool = False
    frames_wanted: int | None = None
    frames_read: int | None = None
    error_type: str | None = None
    message: str | None = None
    model_name: str
    model_version: str | None = None
    model_digest: str
    config_digest: str
    prior: float
    seconds: float | None = None
    verdict_voice: Verdict | None = None
    reason_voice: str | None = None
    prob_fake_voice: float | None = None
    logit_voice: float | None = None
    likelihood_ratio_voice: float | None = None
    likelihood_ratio_voice_min: float | None = None
    likelihood_ratio_voice_max: float | None = None
    novelty_voice: float | None = None
    speech_seconds: float | None = None
    num_windows: int | None = None
    strongest_voice_pts_seconds: float | None = None
    strongest_voice_end_seconds: float | None = None
    voice_model_name: str | None = None
    voice_model_version: str | None = None
    voice_model_digest: str | None = None
    verdict_sync: SyncVerdict | None = None
    reason_sync: str | None = None
    prob_mismatch: float | None = None
    logit_sync: float | None = None
    likelihood_ratio_sync: float | None = None
    likelihood_ratio_sync_min: float | None = None
    likelihood_ratio_sync_max: float | None = None
    offset_sync_seconds: float | None = None
    is_out_of_sync: bool | None = None
    num_runs: int | None = None
    speaking_track_id: int | None = None
    strongest_sync_pts_seconds: float | None = None
    strongest_sync_end_seconds: float | None = None
    sync_model_name: str | None = None
    sync_model_version: str | None = None
    sync_model_digest: str | None = None
    verdict_file: Verdict | None = None
    reason_file: str | None = None
    prob_fake_file: float | None = None
    likelihood_ratio_file: float | None = None

    def __post_init__(self) -> None:
        if (self.prob_fake is not None) != (self.status is Status.OK):
            raise ValueError(f"prob_fake is {self.prob_fake} and the status {self.status}")
        if self.prob_fake is not None and not 0.0 <= self.prob_fake <= 1.0:
            raise ValueError(f"prob_fake must lie in 0..1, got {self.prob_fake}")
        for name, prob, verdict in (
            ("prob_fake_voice", self.prob_fake_voice, self.verdict_voice),
            ("prob_mismatch", self.prob_mismatch, self.verdict_sync),
            ("prob_fake_file", self.prob_fake_file, self.verdict_file),
        ):
            is_judged = verdict not in (None, "not_applicable")
            if (prob is not None) != is_judged:
                raise ValueError(f"{name} is {prob} and the verdict {verdict}")

    def as_row(self) -> dict[str, Any]:
        """Return the columns of the scores table, in their order and in JSON types."""
        values = {own.name: getattr(self, own.name) for own in fields(self)}
        return {k: str(v) if isinstance(v, StrEnum) else v for k, v in values.items()}
