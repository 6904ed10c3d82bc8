"""What `forget` cannot remove, and what the user has to do, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deepfake.errors import DataError, DeepfakeError
from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.forgetting.prefect_home import is_in_database
from deepfake.storage import DataRoot, Location, is_store_uri, medium_exists, read_json

__all__ = ["describe_remains", "describe_warnings"]

_MLFLOW = (
    "MLflow holds sums and figures over all files, of which it was one; no list of files, no "
    "crops. The weights of detectors registered there keep what they learnt from it."
)
_ELSEWHERE = (
    "Receipts, copies of tables, clips made outside of the data root's clips/, other data roots "
    "and backups are not searched: where they are is not known."
)
_STORE = (
    "A bucket with versioning keeps what was removed: delete its older versions. Other machines "
    "that worked with it keep names in their own state and copies of objects in their caches: run "
    "this there too, or delete `deepfake` in their cache folders."
)
_DISK = "The disk blocks of removed files keep their bytes until they are used again."


def describe_remains(
    root: DataRoot, home: Path, media: MediaToForget, removals: Sequence[Removal]
) -> Iterator[str]:
    """Yield what this program cannot remove, a sentence or two each; nothing if nothing was found.

    Args:
        root: The data root.
        home: Prefect's home.
        media: The media to forget.
        removals: What was removed.
    """
    if not removals:
        return
    if any(removal.path.startswith(f"{root.shards}/") for removal in removals):
        yield from _describe_learnt(root, removals)
    if is_in_database(home, media):
        yield (
            f"Prefect's database in {home} names it in the parameters or messages of a run: "
            "`prefect server database reset` empties it."
        )
    yield _ELSEWHERE
    if any(is_store_uri(removal.path) for removal in removals):
        yield _STORE
    yield _DISK


def _describe_learnt(root: DataRoot, removals: Sequence[Removal]) -> Iterator[str]:
    """Yield what remains of a medium that was in a corpus: others may have learnt from it."""
    bundles = [path.parent for path in sorted(root.runs.glob("*/bundle/detector.json"))]
    trained = [str(bundle) for bundle in bundles if _is_trained_on(root, bundle, removals)]
    affected = f" Trained or calibrated on a corpus with it: {', '.join(trained)}."
    yield (
        "What a detector learnt from it stays in the detector's weights: train it again without it."
        + (affected if trained else "")
    )
    yield _MLFLOW


def _is_trained_on(root: DataRoot, bundle: Path, removals: Sequence[Removal]) -> bool:
    """Return whether a detector learnt from a corpus whose shards held the media."""
    try:
        description = read_json(bundle / "detector.json")
        digests = (description.get("data_digests", {}), description.get("calibration_digests", {}))
        corpora = {corpus for by_corpus in digests for corpus in by_corpus}
    except (DataError, AttributeError, TypeError):
        return False
    folders = tuple(f"{root.corpus_shards(corpus)}/" for corpus in corpora)
    return any(removal.path.startswith(folders) for removal in removals)


def describe_warnings(media: MediaToForget, *, missing: Sequence[Location]) -> Iterator[str]:
    """Yield what the user has to do, a sentence each.

    Args:
        media: The media to forget.
        missing: Scored folders that were noted under the data root and are not there.
    """
    for uri in sorted(media.uris):
        with suppress(DeepfakeError, OSError):
            if not medium_exists(uri):
                continue
            yield f"the file itself is still there, and the next run scores it again: {uri}"
    for folder in missing:
        yield f"a scored folder is not there now, and was not searched: {folder}"
