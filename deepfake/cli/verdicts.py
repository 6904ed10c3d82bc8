"""Verdicts for people: in words, and in colour where the terminal has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from deepfake.cli.text import in_one_line
from deepfake.scoring import describe_reason
from deepfake.verdicts.words import SYNC_WORDS, VERDICT_WORDS

__all__ = ["file_line", "style_verdict", "sync_line", "verdict_line", "voice_line"]

_STYLES = {
    "real": "bold cyan",
    "fake": "bold white on red",
    "uncertain": "bold yellow",
    "not_applicable": "dim",
    "mismatch": "bold white on red",
    "no_mismatch": "bold cyan",
}
_WORDS = {**VERDICT_WORDS, **SYNC_WORDS}
_WIDTH = max(len(word) for word in VERDICT_WORDS.values()) + 1
"""Of a verdict on faces; one on lips may be longer."""


def style_verdict(verdict: str) -> Text:
    """Return a verdict in capitals and in its colour, all of one width.

    Example:
        >>> style_verdict("fake").plain
        'FAKE          '
    """
    word = _WORDS[verdict].upper()
    return Text.assemble((word, _STYLES[verdict]), " " * max(1, _WIDTH - len(word)))


def _probability(prob: float, *, is_calibrated: bool) -> str:
    return f"{prob:6.1%} probability of fake" if is_calibrated else f"rank {prob:.2f} of 0 to 1"


def verdict_line(row: Mapping[str, Any], *, is_calibrated: bool = True) -> Text:
    """Return one line of text for the row of a score.

    Args:
        row: Columns of the scores table.
        is_calibrated: Whether `prob_fake` is a probability; else it is a rank, and shown as one.

    Example:
        >>> row = {"verdict": "fake", "status": "ok", "prob_fake": 0.981, "uri": "a.mp4"}
        >>> verdict_line({**row, "reason": "looks blended"}).plain
        'FAKE           98.1% probability of fake  a.mp4  (looks blended)'
        >>> row = {"verdict": "not_applicable", "status": "no_face", "uri": "b.png"}
        >>> verdict_line({**row, "prob_fake": None, "reason": "no face was found in 1 frame"}).plain
        'NOT JUDGED                               b.png  (no_face: no face was found in 1 frame)'
    """
    prob = row["prob_fake"]
    shown = "" if prob is None else _probability(prob, is_calibrated=is_calibrated)
    reason = describe_reason(row)
    # File names are text, never markup.
    rest = in_one_line(f"{shown:<25}  {row['uri']}")
    line = Text.assemble(style_verdict(str(row["verdict"])), rest)
    if reason:
        line.append(in_one_line(f"  ({reason})"), style="dim")
    return line


def voice_line(row: Mapping[str, Any], *, is_calibrated: bool = True) -> Text:
    """Return one line of text for the voice of a file.

    Args:
        row: Columns of the scores table; `verdict_voice` is not None.
        is_calibrated: Whether `prob_fake_voice` is a probability; else it is shown as a rank.

    Example:
        >>> row = {"verdict_voice": "fake", "prob_fake_voice": 0.9, "uri": "a.wav"}
        >>> voice_line({**row, "reason_voice": "strongest from 4.0 s"}).plain
        'FAKE           90.0% probability of a made voice  a.wav  (strongest from 4.0 s)'
    """
    prob, reason = row["prob_fake_voice"], row["reason_voice"]
    shown = "voice"
    if prob is not None:
        known = f"{prob:6.1%} probability of a made voice"
        shown = known if is_calibrated else f"voice, rank {prob:.2f} of 0 to 1"
    line = Text.assemble(
        style_verdict(str(row["verdict_voice"])), in_one_line(f"{shown:<25}  {row['uri']}")
    )
    if reason:
        line.append(in_one_line(f"  ({reason})"), style="dim")
    return line


def sync_line(row: Mapping[str, Any], *, is_calibrated: bool = True) -> Text:
    """Return one line of text for the lips and the sound of a file.

    Args:
        row: Columns of the scores table; `verdict_sync` is not None.
        is_calibrated: Whether `prob_mismatch` is a probability; else it is shown as a rank.

    Example:
        >>> row = {"verdict_sync": "mismatch", "prob_mismatch": 0.9, "uri": "a.mp4"}
        >>> sync_line({**row, "reason_sync": None}).plain
        'MISMATCH       90.0% probability of lips that do not fit  a.mp4'
    """
    prob, reason = row["prob_mismatch"], row["reason_sync"]
    shown = "lips and sound"
    if prob is not None:
        known = f"{prob:6.1%} probability of lips that do not fit"
        shown = known if is_calibrated else f"lips and sound, rank {prob:.2f} of 0 to 1"
    line = Text.assemble(
        style_verdict(str(row["verdict_sync"])), in_one_line(f"{shown:<25}  {row['uri']}")
    )
    if reason:
        line.append(in_one_line(f"  ({reason})"), style="dim")
    return line


def file_line(row: Mapping[str, Any]) -> Text:
    """Return one line of text for a file, from all answers on it.

    Args:
        row: Columns of the scores table; `verdict_file` is not None.

    Example:
        >>> row = {"verdict_file": "fake", "prob_fake_file": 0.915, "uri": "a.mp4"}
        >>> file_line({**row, "reason_file": "voice: 97.0%, faces: no sign"}).plain
        'FAKE           91.5% of a fake, in all  a.mp4  (voice: 97.0%, faces: no sign)'
    """
    prob, reason = row["prob_fake_file"], row["reason_file"]
    shown = "" if prob is None else f"{prob:6.1%} of a fake, in all"
    line = Text.assemble(
        style_verdict(str(row["verdict_file"])), in_one_line(f"{shown}  {row['uri']}")
    )
    if reason:
        line.append(in_one_line(f"  ({reason})"), style="dim")
    return line
