"""Evidence for many scores, in the media workers: a file that breaks its worker costs a note."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from deepfake.compute.workers import Failure, MediaWorkers, WorkerSetup
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.evidence.build import (
    ExplainerSetup,
    MadeEvidence,
    create_explainer,
    explain_medium,
    provenance_of,
)
from deepfake.evidence.provenance import Provenance, describe_provenance
from deepfake.evidence.records import EvidenceRecord
from deepfake.evidence.timelines import ExplainRequest, timelines

__all__ = ["explain_media", "explainer_setup"]


def explainer_setup(setup: WorkerSetup, argument: ExplainerSetup) -> WorkerSetup:
    """Return the set-up of workers that make evidence.

    Args:
        setup: Of the workers that score: the limits and their number are the same.
        argument: Which detector.
    """
    return WorkerSetup(create_explainer, argument, setup.limits, setup.num_workers)


def explain_media(
    requests: Sequence[ExplainRequest],
    *,
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> Iterator[MadeEvidence]:
    """Yield the evidence for each score, in order; what cannot be made is a note in it.

    Args:
        requests: The scores.
        workers: Set up by `explainer_setup`.
        on_done: Called with the number of scores done, after each.
    """
    bundle = load_bundle(workers.setup.argument.bundle)
    # Apart from each other: the one library's crash takes nothing of what the other has read.
    made = workers.map(explain_medium, requests)
    told = workers.map(provenance_of, requests)
    for done, (request, evidence, found) in enumerate(
        zip(requests, made, told, strict=True), start=1
    ):
        whole = _charged(request, evidence, bundle)
        yield MadeEvidence(_with_provenance(whole.record, found), whole.pictures)
        on_done(done)


def _charged(request: ExplainRequest, made: MadeEvidence | Failure, bundle: Bundle) -> MadeEvidence:
    if isinstance(made, MadeEvidence):
        return made
    record = timelines(request, bundle=bundle)
    notes = (*record.notes, f"There are no pictures: {made.message}.")
    return MadeEvidence(record.model_copy(update={"is_whole": False, "notes": notes}), {})


def _with_provenance(record: EvidenceRecord, found: Provenance | str | Failure) -> EvidenceRecord:
    if isinstance(found, Provenance):
        return record.model_copy(update={"provenance": found})
    said = found.message if isinstance(found, Failure) else found
    note = f"What the file says of its making could not be read: {said}."
    told = describe_provenance(None, tags={}, note=note).model_copy(update={"sentences": (note,)})
    return record.model_copy(update={"provenance": told, "is_whole": False})
