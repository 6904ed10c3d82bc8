"""The exceptions of this project.

    DeepfakeError
    ├── MediaError (ValueError)
    │   ├── ProbeError
    │   ├── DecodeError
    │   ├── EmptyMediaError
    │   ├── UnsupportedMediaError
    │   │   └── SoundOnlyError
    │   ├── MediaTooLargeError
    │   └── UnreadableMediaError (also OSError)
    ├── FaceError (RuntimeError)
    ├── DataError (ValueError)
    │   ├── CorpusError
    │   ├── ManifestError
    │   ├── SplitLeakageError
    │   └── ShardError
    ├── ModelError (RuntimeError)
    │   ├── UnknownModelError (also LookupError)
    │   ├── WeightsUnavailableError
    │   └── BundleError
    ├── TrackingError (RuntimeError)
    ├── WorkerError (RuntimeError)
    ├── StoreError (OSError)
    └── ConfigError (ValueError)

Errors of other libraries are translated into these where the library is called.
"""

from __future__ import annotations

from os import PathLike, fspath
from typing import ClassVar, Protocol

from deepfake.types import Status

__all__ = [
    "BundleError",
    "ConfigError",
    "CorpusError",
    "DataError",
    "DecodeError",
    "DeepfakeError",
    "EmptyMediaError",
    "FaceError",
    "ManifestError",
    "MediaError",
    "MediaTooLargeError",
    "ModelError",
    "ProbeError",
    "ShardError",
    "SoundOnlyError",
    "SplitLeakageError",
    "StoreError",
    "TrackingError",
    "UnknownModelError",
    "UnreadableMediaError",
    "UnsupportedMediaError",
    "WeightsUnavailableError",
    "WorkerError",
    "first_line",
]


class _HasUri(Protocol):
    """A path in an object store."""

    @property
    def uri(self) -> str: ...


class DeepfakeError(Exception):
    """Base of all errors of this project.

    Args:
        message: What was wrong, the value, and what is allowed, in one line.
        path: The file or folder concerned, if any.
        hint: What the user can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | PathLike[str] | _HasUri | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path if path is None else _name_of(path)
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.path is None else f"{self.message}: {self.path}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors are sent between processes; keyword arguments need this to be pickled.
        return (_rebuild, (type(self), self.message, self.path, self.hint))


def _name_of(path: str | PathLike[str] | _HasUri) -> str:
    return fspath(path) if isinstance(path, (str, PathLike)) else path.uri


def _rebuild(
    cls: type[DeepfakeError], message: str, path: str | None, hint: str | None
) -> DeepfakeError:
    return cls(message, path=path, hint=hint)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that is not empty, or "no message".

    Example:
        >>> first_line(ValueError("\\nno such key\\nat line 3")), first_line(KeyError())
        ('no such key', 'no message')
    """
    return next((line for line in str(error).splitlines() if line.strip()), "no message")


class MediaError(DeepfakeError, ValueError):
    """A medium could not be used; `status` is the status of its row."""

    status: ClassVar[Status] = Status.ERROR


class ProbeError(MediaError):
    """The container could not be opened or understood."""

    status = Status.DECODE_ERROR


class DecodeError(MediaError):
    """The container opened, but its pictures could not be decoded."""

    status = Status.DECODE_ERROR


class EmptyMediaError(MediaError):
    """No bytes, or no picture in them."""

    status = Status.EMPTY


class UnsupportedMediaError(MediaError):
    """A kind of file that is not supported: text, a playlist, a folder."""

    status = Status.UNSUPPORTED


class SoundOnlyError(UnsupportedMediaError):
    """A picture or a video is wanted, and the file holds sound alone."""

    status = Status.NO_PICTURE


class MediaTooLargeError(MediaError):
    """The declared or actual size exceeds a limit."""

    status = Status.TOO_LARGE


class UnreadableMediaError(MediaError, OSError):
    """The operating system denied reading the file."""

    status = Status.UNREADABLE


class FaceError(DeepfakeError, RuntimeError):
    """The face detector could not be built or run."""


class DataError(DeepfakeError, ValueError):
    """Something is wrong with a corpus, a manifest, a split or a shard."""


class CorpusError(DataError):
    """The folders or lists of a corpus do not follow its layout."""


class ManifestError(DataError):
    """A manifest is missing, of an unknown schema version, or contradicts itself."""


class SplitLeakageError(DataError):
    """The same media, people or pairs of people are in more than one split."""


class ShardError(DataError):
    """A shard or an index is missing, damaged, or names a file outside its folder."""


class ModelError(DeepfakeError, RuntimeError):
    """A model could not be created, loaded or run."""


class UnknownModelError(ModelError, LookupError):
    """There is no model of that name."""


class WeightsUnavailableError(ModelError):
    """Pretrained weights were requested and are not available."""


class BundleError(ModelError):
    """A detector bundle is incomplete, modified, or of another schema version."""


class TrackingError(DeepfakeError, RuntimeError):
    """The tracking store or the model registry failed."""


class WorkerError(DeepfakeError, RuntimeError):
    """The media workers could not be started, or all were lost."""


class StoreError(DeepfakeError, OSError):
    """An object store denied a request or did not answer."""


class ConfigError(DeepfakeError, ValueError):
    """Options contradict each other or are out of range."""
