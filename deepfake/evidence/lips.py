"""Lips and sound of a file over time: blocks of about a second, and the threshold."""

from __future__ import annotations

from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.evidence.records import MouthBlock, SyncEvidence
from deepfake.evidence.request import EvidenceRequest

__all__ = ["create_sync"]


def create_sync(
    request: EvidenceRequest, *, bundle: SyncBundle | None = None
) -> SyncEvidence | None:
    """Return lips and sound over time; None where they were not compared.

    Args:
        request: The score, with its blocks.
        bundle: The detector of lips and sound; None leaves the threshold out.
    """
    score = request.score
    if score.get("prob_mismatch") is None:
        return None
    prior, mismatch_from = score.get("prior"), None
    if bundle is not None:
        own = bundle.spec.judgement
        _, mismatch_from = own.thresholds_at(None if prior is None else float(prior))
    return SyncEvidence(
        blocks=_blocks(request),
        mismatch_from=mismatch_from,
        offset_seconds=score.get("offset_sync_seconds"),
        is_out_of_sync=bool(score.get("is_out_of_sync")),
        speaking_track_id=score.get("speaking_track_id"),
    )


def _blocks(request: EvidenceRequest) -> tuple[MouthBlock, ...]:
    rows = sorted(request.blocks, key=lambda row: float(row["pts_seconds"]))
    strongest = request.score.get("strongest_sync_pts_seconds")
    return tuple(
        MouthBlock(
            pts_seconds=float(row["pts_seconds"]),
            end_seconds=float(row["end_seconds"]),
            prob_mismatch=float(row["prob_mismatch"]),
            offset_seconds=float(row["offset_seconds"]),
            track_id=None if row["track_id"] is None else int(row["track_id"]),
            is_strongest=row["pts_seconds"] == strongest,
        )
        for row in rows
    )
