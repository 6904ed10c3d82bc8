"""Verify a receipt: score its file again with its detector, and compare."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from deepfake.compute.devices import resolve_device
from deepfake.config import MediaLimits, Precision, WorkerLimits
from deepfake.corpora.layouts import scan_media
from deepfake.detectors.bundles import Bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import check_precision
from deepfake.detectors.sync_bundle import load_sync_bundle
from deepfake.detectors.voice_bundle import load_voice_bundle
from deepfake.errors import ConfigError, DataError, UnreadableMediaError
from deepfake.scoring.receipts.receipt import Receipt, ScoreRow
from deepfake.scoring.score_without_output import score_files
from deepfake.scoring.scorer_settings import ScorerSetup, scoring_digest
from deepfake.scoring.setups import DetectorName, describe_setup, find_versions
from deepfake.storage import path_of_uri, sampled_digest_of, sha256_of
from deepfake.types import Score

__all__ = ["TOLERANCE", "ReceiptCheck", "verify_receipt"]

TOLERANCE = 1e-3
"""Of a logit, and of a probability: what other processors and library versions move them by."""

_COUNTS = (
    "kind",
    "num_faces",
    "num_tracks",
    "num_frames",
    "frames_wanted",
    "frames_read",
    "is_partial",
    "strongest_track_id",
    "turned_degrees",
    "num_windows",
    "num_runs",
    "is_out_of_sync",
    "speaking_track_id",
)
_RATIOS = (
    *("likelihood_ratio", "likelihood_ratio_min", "likelihood_ratio_max"),
    "likelihood_ratio_voice",
    "likelihood_ratio_voice_min",
    "likelihood_ratio_voice_max",
    "likelihood_ratio_sync",
    "likelihood_ratio_sync_min",
    "likelihood_ratio_sync_max",
    "likelihood_ratio_file",
)
_OF_VOICE = ("logit_voice", "prob_fake_voice", "strongest_voice_pts_seconds")
_OF_SYNC = ("logit_sync", "prob_mismatch", "offset_sync_seconds", "strongest_sync_pts_seconds")

Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """The result of one check.

    Attributes:
        name: What.
        is_passed: Whether it is as the receipt says; None for a remark that decides nothing.
        finding: One line for a person.
    """

    name: str
    is_passed: bool | None
    finding: str


def verify_receipt(
    receipt: Receipt,
    *,
    detector: DetectorIdentity,
    bundle: Bundle,
    voice: DetectorIdentity | None = None,
    sync: DetectorIdentity | None = None,
    file: Path | None = None,
    cache: Path | None = None,
) -> Iterator[ReceiptCheck]:
    """Yield what is found, one check after another; later ones need earlier ones to have passed.

    The only things that are opened are the file and the detector. What the receipt allows a file
    to cost holds as far as it is no more than what is allowed by default.

    Args:
        receipt: From `read_receipt`.
        detector: The one that is here.
        bundle: Its bundle.
        voice: The detector of voices that is here; None where there is none.
        sync: The detector of lips and sound that is here; None where there is none.
        file: The file; None for where the receipt says that it lies.
        cache: Where networks converted for the CPU are kept.
    """
    checks = [_check_itself(receipt)]
    yield checks[0]
    path = _path_of(receipt) if file is None else file
    for check in (
        _check_file(receipt, path, named_by="the receipt" if file is None else "you"),
        _check_detector(receipt, detector, bundle),
        *_check_voice_detector(receipt, voice),
        *_check_sync_detector(receipt, sync),
    ):
        checks.append(check)
        yield check
    if path is None or not all(check.is_passed for check in checks):
        yield ReceiptCheck(
            "score", False, "not done again: that would compare two different things"
        )
        return
    own_voice = None if receipt.voice_detector is None else voice
    own_sync = None if receipt.sync_detector is None else sync
    setup, remarks = _setup_of(receipt, detector, voice=own_voice, sync=own_sync, cache=cache)
    yield from remarks
    configuration = _check_configuration(receipt, setup, bundle)
    yield configuration
    yield from _versions(receipt)
    if not configuration.is_passed:
        yield ReceiptCheck("score", False, "not done again: it would be made otherwise")
        return
    limits = _at_most(receipt.configuration.worker_limits, WorkerLimits())
    (now,) = score_files(scan_media([path]), setup=setup, limits=limits)
    yield from _compare(receipt, now)


def _path_of(receipt: Receipt) -> Path | None:
    try:
        return path_of_uri(receipt.uri)
    except DataError:
        return None


def _check_itself(receipt: Receipt) -> ReceiptCheck:
    score, detector = receipt.score, receipt.detector
    in_row = (score.uri, score.model_digest, score.model_name, score.model_version)
    if in_row != (receipt.uri, detector.digest, detector.name, detector.version):
        return ReceiptCheck(
            "receipt", False, "contradicts itself: its row is of another file or detector"
        )
    return ReceiptCheck("receipt", True, f"well formed, version {receipt.schema_version}")


def _check_file(receipt: Receipt, path: Path | None, *, named_by: str) -> ReceiptCheck:
    if path is None:
        return ReceiptCheck(
            "file", False, f"{receipt.uri} is not on this machine: name it with --file"
        )
    finding = f"{path} (named by {named_by})"
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return ReceiptCheck("file", False, f"{finding} is no regular file")
        if found.st_size != receipt.size_bytes:
            return ReceiptCheck(
                "file",
                False,
                f"{finding} has {found.st_size} bytes, the receipt's has {receipt.size_bytes}",
            )
        sha256 = sha256_of(path)
        is_what_was_scored = receipt.score.media_id in (sha256, sampled_digest_of(path))
    except UnreadableMediaError as error:
        return ReceiptCheck("file", False, f"{finding} {error.message}")
    except OSError as error:
        return ReceiptCheck("file", False, f"{finding} cannot be read ({error.strerror})")
    if sha256 != receipt.sha256:
        return ReceiptCheck("file", False, f"{finding} has the SHA-256 {sha256}, not the receipt's")
    if not is_what_was_scored:
        return ReceiptCheck("file", False, f"{finding} is not what the row says was scored")
    return ReceiptCheck("file", True, f"{finding} has the SHA-256 {sha256}")


def _check_detector(receipt: Receipt, detector: DetectorIdentity, bundle: Bundle) -> ReceiptCheck:
    wanted = receipt.detector
    if bundle.digest != wanted.digest:
        return ReceiptCheck(
            "detector",
            False,
            f"another one is here: {detector.name}, digest {bundle.digest}; the receipt's is "
            f"{wanted.name}, digest {wanted.digest}: name it with --weights",
        )
    return ReceiptCheck("detector", True, f"{detector.name}, digest {bundle.digest}")


def _check_voice_detector(
    receipt: Receipt, voice: DetectorIdentity | None
) -> Iterator[ReceiptCheck]:
    wanted = receipt.voice_detector
    if wanted is not None:
        digest = None if voice is None else load_voice_bundle(voice.path).digest
        yield _check_further(
            "detector of voices", wanted, voice, digest=digest, option="--voice-weights"
        )


def _check_sync_detector(receipt: Receipt, sync: DetectorIdentity | None) -> Iterator[ReceiptCheck]:
    wanted = receipt.sync_detector
    if wanted is not None:
        digest = None if sync is None else load_sync_bundle(sync.path).digest
        yield _check_further(
            "detector of lips and sound", wanted, sync, digest=digest, option="--sync-weights"
        )


def _check_further(
    name: str,
    wanted: DetectorName,
    found: DetectorIdentity | None,
    *,
    digest: str | None,
    option: str,
) -> ReceiptCheck:
    """Return whether the detector of a receipt that is not of faces is here."""
    if found is not None and digest == wanted.digest:
        return ReceiptCheck(name, True, f"{found.name}, digest {digest}")
    here = "none is here" if found is None else f"another one is here: {found.name}, {digest}"
    finding = f"{here}; the receipt's is {wanted.name}, digest {wanted.digest}"
    return ReceiptCheck(name, False, f"{finding}: name it with {option}")


def _setup_of(
    receipt: Receipt,
    detector: DetectorIdentity,
    *,
    voice: DetectorIdentity | None,
    sync: DetectorIdentity | None,
    cache: Path | None,
) -> tuple[ScorerSetup, list[ReceiptCheck]]:
    wanted = receipt.configuration
    device, precision, remarks = wanted.device, wanted.precision, []
    try:
        device = resolve_device(device)
    except ConfigError:
        device = "cpu"
        remarks.append(
            ReceiptCheck("device", None, f"{wanted.device} is not here: done on the CPU")
        )
    try:
        check_precision(precision, device=device)
    except ConfigError:
        f32: Precision = "f32"
        precision = f32
        remarks.append(
            ReceiptCheck("precision", None, f"{wanted.precision} is not here: done in f32")
        )
    setup = ScorerSetup(
        detector,
        device=device,
        precision=precision,
        sampling=wanted.sampling,
        decoder=wanted.decoder,
        prior=wanted.prior,
        limits=_at_most(wanted.media_limits, MediaLimits()),
        cache=cache,
        voice=voice,
        sync=sync,
        file_rule=wanted.file_rule,
    )
    return setup, remarks


def _at_most(asked: Settings, most: Settings) -> Settings:
    allowed = dict(most)
    limits = {
        name: value if allowed[name] is None else min(allowed[name], value or allowed[name])
        for name, value in asked
    }
    return asked.model_copy(update=limits)


_COMPUTED = ("device", "precision", "media_limits", "worker_limits")
"""Settings that are as far as they can be had here; the score tells whether that was enough."""


def _check_configuration(receipt: Receipt, setup: ScorerSetup, bundle: Bundle) -> ReceiptCheck:
    here = describe_setup(setup, bundle=bundle, limits=receipt.configuration.worker_limits)
    stored = receipt.configuration
    differing = [
        name
        for name, value in here.configuration
        if name not in _COMPUTED and value != getattr(stored, name)
    ]
    if differing:
        return ReceiptCheck(
            "configuration", False, f"this detector and program have other {', '.join(differing)}"
        )
    as_stored = ScorerSetup(
        setup.detector,
        device=stored.device,
        precision=stored.precision,
        sampling=stored.sampling,
        prior=stored.prior,
        voice=setup.voice,
        sync=setup.sync,
        file_rule=stored.file_rule,
    )
    if scoring_digest(as_stored, bundle=bundle) != receipt.score.config_digest:
        return ReceiptCheck("configuration", False, "its digest is not that of the row")
    return ReceiptCheck("configuration", True, f"digest {receipt.score.config_digest}")


def _versions(receipt: Receipt) -> Iterator[ReceiptCheck]:
    here, then = find_versions(), receipt.made_with
    pairs = {
        "this package": (then.package, here.package),
        "python": (then.python, here.python),
        "processor": (then.cpu, here.cpu),
        **{
            name: (then.libraries.get(name, "none"), here.libraries.get(name, "none"))
            for name in sorted({*then.libraries, *here.libraries})
        },
    }
    changed = [f"{name} {old} then, {new} here" for name, (old, new) in pairs.items() if old != new]
    finding = "; ".join(changed) or "all as they were"
    yield ReceiptCheck("versions", None, finding)


def _compare(receipt: Receipt, now: Score) -> Iterator[ReceiptCheck]:
    then = receipt.score
    if now.media_id != receipt.sha256:
        yield ReceiptCheck("score", False, "the file was changed while it was looked at")
        return
    yield _check_equal("status", then.status, now.status, why=now.message)
    for name in ("logit", "prob_fake", "strongest_pts_seconds"):
        yield _check_close(name, getattr(then, name), getattr(now, name))
    for name in _RATIOS:
        before, after = (_logarithm(getattr(score, name)) for score in (then, now))
        if before is not None or after is not None:
            yield _check_close(f"logarithm of {name}", before, after)
    yield _check_equal("verdict", then.verdict, now.verdict)
    if then.verdict_voice is not None:
        for name in _OF_VOICE:
            yield _check_close(name, getattr(then, name), getattr(now, name))
        verdicts = (str(then.verdict_voice), str(now.verdict_voice))
        yield _check_equal("verdict on the voice", *verdicts, why=now.reason_voice)
    if then.verdict_sync is not None:
        for name in _OF_SYNC:
            yield _check_close(name, getattr(then, name), getattr(now, name))
        verdicts = (str(then.verdict_sync), str(now.verdict_sync))
        yield _check_equal("verdict on lips and sound", *verdicts, why=now.reason_sync)
    if then.verdict_file is not None:
        yield _check_close("prob_fake_file", then.prob_fake_file, now.prob_fake_file)
        verdicts = (str(then.verdict_file), str(now.verdict_file))
        yield _check_equal("verdict on the file", *verdicts, why=now.reason_file)
    yield _check_equal("counts", *(_counts_of(score) for score in (then, now)))
    if now.reason != then.reason:
        both = f"{now.reason or 'none'} now, {then.reason or 'none'} in the receipt"
        yield ReceiptCheck("reason", None, both)


def _logarithm(value: float | None) -> float | None:
    return None if value is None else math.log(value)


def _counts_of(score: ScoreRow | Score) -> str:
    return ", ".join(f"{name} {getattr(score, name)}" for name in _COUNTS)


def _check_equal(name: str, then: str, now: str, *, why: str | None = None) -> ReceiptCheck:
    if then == now:
        return ReceiptCheck(name, True, then)
    return ReceiptCheck(
        name, False, f"{now}{f' ({why})' if why else ''} now, {then} in the receipt"
    )


def _check_close(name: str, then: float | None, now: float | None) -> ReceiptCheck:
    if then is None or now is None:
        finding = "none, as in the receipt" if then is now else f"{now} now, {then} in the receipt"
        return ReceiptCheck(name, then is now, finding)
    gap = abs(now - then)
    if gap == 0:
        return ReceiptCheck(name, True, f"{now:.6f}, exactly")
    finding = f"{now:.6f} now, {then:.6f} in the receipt, {gap:.1e} apart"
    return ReceiptCheck(name, gap <= TOLERANCE, finding)
