"""Read and validate C2PA Content Credentials, without any network connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake.errors import ProbeError

__all__ = ["Credentials", "read_credentials"]

_MIME_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "tiff": "image/tiff",
    "mov": "video/mp4",
    "mp4": "video/mp4",
    "avi": "video/avi",
}
_SETTINGS = {
    "version": 1,
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_after_reading": True,
        "verify_trust": True,
    },
    # No host at all, whatever else a later version of the library may fetch.
    "core": {"allowed_network_hosts": [], "allow_redirects": False},
}
_GENERATED = frozenset({"trainedAlgorithmicMedia", "algorithmicMedia"})
_COMPOSITE = frozenset({"compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})
_CAPTURED = frozenset({"digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm"})
_EDITS = frozenset(
    {"edited", "placed", "cropped", "resized", "filtered", "color_adjustments", "drawing"}
    | {"orientation", "removed", "repackaged", "transcoded", "converted", "edited.metadata"}
)
_IGNORED_CODES = frozenset({"signingCredential.untrusted"})
"""The signer is on no trust list; this program uses none."""
_MAX_TEXT = 300
_MAX_ITEMS = 20

State = Literal["none", "untrusted", "trusted", "invalid", "elsewhere", "unsupported", "unreadable"]


class Credentials(BaseModel):
    """What a file's Content Credentials say, and whether they are valid.

    Attributes:
        state: `none`; `untrusted`: signed and not changed since, by a signer on no trust list;
            `trusted`: by a signer on one; `invalid`: changed since, or the signature is wrong;
            `elsewhere`: stored on the network, from where nothing is fetched; `unsupported`: a
            file format that cannot hold any; `unreadable`.
        signer: The organisation that the signing certificate names.
        signer_name: The certificate's own name.
        signed_at: Time of signing, as stated.
        tool: Program that made the credentials.
        made_as: `generated` by AI, `composite` with AI, `captured`, or None where it is not stated.
        is_edited: Whether an edit is stated.
        source_types: Digital source types of the IPTC, as stated.
        actions: Actions, as stated.
        problems: Why they are invalid or unreadable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: State
    signer: str | None = None
    signer_name: str | None = None
    signed_at: str | None = None
    tool: str | None = None
    made_as: Literal["generated", "composite", "captured"] | None = None
    is_edited: bool = False
    source_types: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    problems: tuple[str, ...] = Field(default=())


def read_credentials(path: Path, *, container: str) -> Credentials:
    """Read and validate the Content Credentials of a file.

    Nothing is fetched: neither remote credentials nor the revocation status of a certificate.

    Args:
        path: The file.
        container: Codec of a still, or container format of a video.

    Raises:
        ProbeError: The library for it cannot be loaded.
    """
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError) as error:
        raise ProbeError(f"Content Credentials cannot be read here ({error})", path=path) from error
    mime = next((_MIME_TYPES[n] for n in container.split(",") if n in _MIME_TYPES), None)
    if mime is None:
        return Credentials(state="unsupported")
    try:
        with (
            path.open("rb") as stream,
            c2pa.Settings.from_dict(_SETTINGS) as settings,
            c2pa.Context(settings) as context,
        ):
            reader = c2pa.Reader.try_create(mime, stream, context=context)
            if reader is None:
                return Credentials(state="none")
            with reader:
                store = json.loads(reader.json())
    except c2pa.C2paError as error:
        return _from_error(str(error))
    except (ValueError, RecursionError) as error:
        return Credentials(state="unreadable", problems=(_short(error),))
    return _from_store(store) if isinstance(store, dict) else Credentials(state="unreadable")


def _from_error(message: str) -> Credentials:
    if message.startswith("Remote"):
        return Credentials(state="elsewhere", problems=(_short(message),))
    return Credentials(state="unreadable", problems=(_short(message),))


def _from_store(store: Mapping[str, Any]) -> Credentials:
    manifests = _mapping(store.get("manifests"))
    active = _mapping(manifests.get(str(store.get("active_manifest"))))
    signature = _mapping(active.get("signature_info"))
    failed = [str(s.get("code")) for s in _mappings(store.get("validation_status"))]
    problems = [code for code in failed if code not in _IGNORED_CODES]
    state = store.get("validation_state")
    # The manifests of earlier versions of the file are about this one too.
    actions = [action for m in manifests.values() for action in _actions_of(_mapping(m))]
    types = _unique(_source_type(a.get("digitalSourceType")) for a in actions)
    names = _unique(str(action.get("action", "")).removeprefix("c2pa.") for action in actions)
    return Credentials(
        state=_STATES.get(str(state), "invalid"),
        signer=_text(signature.get("issuer")),
        signer_name=_text(signature.get("common_name")),
        signed_at=_text(signature.get("time")),
        tool=_tool_of(active),
        made_as=_made_as(types),
        is_edited=bool(_EDITS & set(names)),
        source_types=types,
        actions=names,
        problems=_unique(problems) if state == "Invalid" else (),
    )


_STATES: dict[str, State] = {"Valid": "untrusted", "Trusted": "trusted", "Invalid": "invalid"}


def _made_as(types: Sequence[str]) -> Literal["generated", "composite", "captured"] | None:
    found = set(types)
    if found & _COMPOSITE:
        return "composite"
    if found & _GENERATED:
        # A generated part placed in a photograph makes a composite.
        return "composite" if found & _CAPTURED else "generated"
    return "captured" if found & _CAPTURED else None


def _actions_of(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in _mappings(manifest.get("assertions")):
        if str(assertion.get("label")).startswith("c2pa.actions"):
            yield from _mappings(_mapping(assertion.get("data")).get("actions"))


def _source_type(value: Any) -> str:
    return str(value).rsplit("/", maxsplit=1)[-1] if isinstance(value, str) else ""


def _tool_of(manifest: Mapping[str, Any]) -> str | None:
    for info in _mappings(manifest.get("claim_generator_info")):
        name = " ".join(str(info[k]) for k in ("name", "version") if info.get(k))
        if name:
            return _short(name)
    return _text(manifest.get("claim_generator"))


def _unique(texts: Iterator[str] | Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_short(t) for t in texts if t))[:_MAX_ITEMS]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _text(value: Any) -> str | None:
    return _short(value) if isinstance(value, str) and value else None


def _short(value: object) -> str:
    return str(value)[:_MAX_TEXT]
