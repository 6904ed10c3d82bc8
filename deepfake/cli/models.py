"""`deepfake models`: a detector's registered versions, which one is champion, and its history."""

from __future__ import annotations

import socket

import typer
from rich.console import Console
from rich.table import Table

from deepfake.cli.flow_runs import print_other_registry
from deepfake.cli.text import in_one_line
from deepfake.cli.version_table import version_table
from deepfake.config.options import (
    CompareVersionsOptions,
    ListVersionsOptions,
    PromoteOptions,
    RollbackOptions,
    ShowVersionOptions,
)
from deepfake.detectors.bundles import Bundle
from deepfake.detectors.open_bundle import AnyBundle, open_bundle
from deepfake.detectors.sync_bundle import SyncBundle, packaged_sync_detector
from deepfake.detectors.voice_bundle import packaged_voice_detector
from deepfake.errors import ConfigError, DeepfakeError, UnknownModelError
from deepfake.registry import (
    CHAMPION,
    MODEL_NAME,
    SYNC_MODEL_NAME,
    VOICE_MODEL_NAME,
    Promotion,
    RegisteredVersion,
    champion_history,
    list_versions,
    mask_credentials,
    metrics_of_run,
    promote,
    roll_back,
    tracking_uri,
)
from deepfake.registry.resolve import (
    resolve_any_detector,
    resolve_detector,
    resolve_sync_or_fail,
    resolve_voice_or_fail,
)
from deepfake.storage import DataRoot, location_of
from deepfake.storage.environment import user_name

__all__ = [
    "run_compare",
    "run_list",
    "run_promote",
    "run_rollback",
    "run_show",
]

_SHOWN_DIGITS = 4

_RESOLVE_OF = {
    MODEL_NAME: resolve_detector,
    VOICE_MODEL_NAME: resolve_voice_or_fail,
    SYNC_MODEL_NAME: resolve_sync_or_fail,
}
"""Commands score faces, voices, or lips and sound with the champions of these models."""

_MODALITIES = {VOICE_MODEL_NAME: "voice", SYNC_MODEL_NAME: "sync"}
_PACKAGED = {VOICE_MODEL_NAME: packaged_voice_detector, SYNC_MODEL_NAME: packaged_sync_detector}


def run_list(options: ListVersionsOptions) -> None:
    """Print the versions of a model, the newest first."""
    name, uri = options.name, _store_of(options.data_root)
    console = Console(markup=False)
    versions = list_versions(name, uri=uri)
    if not versions:
        option = f" --modality {_MODALITIES[name]}" if name in _MODALITIES else ""
        how = f"deepfake train{option}"
        typer.echo(f"{name}: no version in {mask_credentials(uri)}; `{how}` makes one")
        return
    console.print(f"{name} in {mask_credentials(uri)}", soft_wrap=True, highlight=False)
    console.print(version_table(versions, uri=uri))


def run_show(options: ShowVersionOptions) -> None:
    """Print the record of a version, and the history of champions."""
    name, uri = options.name, _store_of(options.data_root)
    version = _find(name, options.which, uri=uri)
    typer.echo(f"{name} version {version.version} ({', '.join(version.aliases) or 'no alias'})")
    typer.echo(f"registered: {version.created_at}, MLflow run: {version.run_id or 'none'}")
    for key, value in sorted(version.tags.items()):
        typer.echo(in_one_line(f"  {key}: {value}"))
    for key, value in _description(version, data_root=options.data_root).items():
        typer.echo(in_one_line(f"  {key}: {value}"))
    typer.echo("champions:")
    for event in champion_history(name, uri=uri):
        typer.echo(in_one_line(f"  {_in_words(event, name=name)}"))


def run_compare(options: CompareVersionsOptions) -> None:
    """Print the records of two versions: settings, data, and the metrics of their runs."""
    name, uri = options.name, _store_of(options.data_root)
    versions = [_find(name, which, uri=uri) for which in (options.first, options.second)]
    described = [
        {**_description(v, data_root=options.data_root), **_numbers(v, uri=uri)} for v in versions
    ]
    table = Table(title=name, title_justify="left")
    table.add_column("", overflow="fold")
    for version in versions:
        alias = f" ({', '.join(version.aliases)})" if version.aliases else ""
        table.add_column(f"version {version.version}{alias}", overflow="fold")
    for key in dict.fromkeys(key for version in described for key in version):
        table.add_row(key, *(version.get(key, "") for version in described))
    console = Console(markup=False)
    console.print(table)
    uris = [f"models:/{name}/{v.version}" for v in versions]
    console.print(
        "These numbers may be of different files. On the same ones: deepfake evaluate --dataset "
        f"CORPUS --weights {uris[1]}{_against(name, uris[0])}",
        soft_wrap=True,
    )


def _against(name: str, uri: str) -> str:
    """Return the option that compares on one corpus, which detectors of faces alone have."""
    return ", and for the other one" if name in _MODALITIES else f" --against {uri}"


def run_promote(options: PromoteOptions) -> None:
    """Make a version champion, and keep who did it and why."""
    name, reason = options.name, options.reason
    if not (reason and reason.strip()) and not options.yes:
        raise ConfigError(
            "a promotion by hand needs a reason",
            hint="Give --reason TEXT, which is kept with the version, or --yes to omit it.",
        )
    uri = _store_of(options.data_root)
    version = _find(name, options.which, uri=uri).version
    # A detector that cannot be loaded, or is of the other modality, must not become champion.
    resolve = _RESOLVE_OF.get(name, resolve_any_detector)
    resolve(f"models:/{name}/{version}", data_root=location_of(options.data_root))
    done = promote(name, version, author=_who(), reason=reason or "no reason was given", uri=uri)
    _print_moved(name, done)


def run_rollback(options: RollbackOptions) -> None:
    """Make the last champion before the present one champion again, or nobody."""
    why = options.reason or "no reason was given"
    uri = _store_of(options.data_root)
    _print_moved(options.name, roll_back(options.name, author=_who(), reason=why, uri=uri))


def _print_moved(name: str, done: Promotion) -> None:
    present, before = (_version_or_nobody(v, name=name) for v in (done.version, done.was))
    typer.echo(in_one_line(f"champion of {name}: {present} (before: {before})"))
    typer.echo(in_one_line(f"kept: {_in_words(done, name=name)}"))


def _in_words(event: Promotion, *, name: str) -> str:
    moved = f"{event.action} {_version_or_nobody(event.version, name=name)}"
    return f"{event.at} {moved} by {event.who}: {event.why}"


def _version_or_nobody(version: int | None, *, name: str) -> str:
    if version is not None:
        return f"version {version}"
    if name in _PACKAGED and _PACKAGED[name]() is None:
        return "nobody"
    return "nobody; the packaged detector serves"


def _who() -> str:
    return f"{user_name()} on {socket.gethostname()}"


def _store_of(data_root: str) -> str:
    """Return the data root's store; print a note if the working folder has another one."""
    here = DataRoot(location_of(data_root)).here
    print_other_registry(Console(stderr=True, markup=False), here)
    return tracking_uri(here)


def _find(name: str, which: str, *, uri: str) -> RegisteredVersion:
    versions = list_versions(name, uri=uri)
    for version in versions:
        if which in (str(version.version), *version.aliases):
            return version
    if which == "latest" and versions:
        return versions[0]
    known = ", ".join(
        " ".join([str(v.version), *(f"({alias})" for alias in v.aliases)]) for v in versions
    )
    hint = "`deepfake models promote` makes one champion." if which == CHAMPION else None
    raise UnknownModelError(
        f"{name!r} has no version {which!r} (there are: {known or 'none'})", hint=hint
    )


def _description(version: RegisteredVersion, *, data_root: str) -> dict[str, str]:
    """Return the description of the bundle, or why it cannot be used."""
    named = f"models:/{version.name}/{version.version}"
    try:
        bundle = open_bundle(resolve_any_detector(named, data_root=location_of(data_root))[0].path)
    except DeepfakeError as error:
        return {"bundle": f"cannot be used ({error})"}
    spec = bundle.spec
    return {
        "digest": bundle.digest,
        **_network(bundle),
        "began with": spec.pretrained_source,
        "learnt from": ", ".join(f"{k} at {v}" for k, v in spec.data_digests.items()),
        "trained at": spec.created_at,
        "decision": version.tags.get("decision", ""),
    }


def _network(bundle: AnyBundle) -> dict[str, str]:
    spec = bundle.spec
    if isinstance(bundle, Bundle):
        return {
            "network": f"{spec.architecture} at {bundle.spec.input_size} px",
            "heads": ", ".join(head.name for head in bundle.spec.heads),
        }
    if isinstance(bundle, SyncBundle):
        return {"network": f"{spec.architecture} on mouths of {bundle.spec.mouths.size_px} px"}
    seconds = bundle.spec.speech.window_seconds
    return {"network": f"{spec.architecture} on {seconds:g} s of speech"}


def _numbers(version: RegisteredVersion, *, uri: str) -> dict[str, str]:
    if version.run_id is None:
        return {}
    metrics = metrics_of_run(version.run_id, uri=uri)
    return {key: f"{value:.{_SHOWN_DIGITS}g}" for key, value in sorted(metrics.items())}
