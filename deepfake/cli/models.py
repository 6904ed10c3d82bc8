"""`deepfake models`: a detector's registered versions, which one is champion, and its history."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.table import Table

from deepfake.cli.text import in_one_line
from deepfake.config.options import (
    CompareVersionsOptions,
    ListVersionsOptions,
    PromoteOptions,
    RollbackOptions,
    ShowVersionOptions,
)
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError, DeepfakeError, UnknownModelError
from deepfake.registry import (
    CHAMPION,
    Promotion,
    RegisteredVersion,
    champion_history,
    ensure_first_champion,
    list_versions,
    masked,
    metrics_of_run,
    promote,
    roll_back,
    tracking_uri,
)
from deepfake.registry.resolve import resolve_detector

__all__ = [
    "run_compare",
    "run_list",
    "run_promote",
    "run_rollback",
    "run_show",
]

_SHOWN_DIGITS = 4


def run_list(options: ListVersionsOptions) -> None:
    """Print the versions of a model, the newest first."""
    name = options.name
    console = Console(markup=False)
    found = list_versions(name)
    if not found:
        typer.echo(f"{name}: no version in {masked(tracking_uri())}; `deepfake train` makes one")
        return
    table = Table(title=f"{name} in {masked(tracking_uri())}", title_justify="left")
    for column in ("version", "alias", "decision", "learnt from", "registered"):
        table.add_column(column, overflow="fold")
    for version in found:
        table.add_row(
            str(version.version),
            ", ".join(version.aliases),
            version.tags.get("decision", ""),
            ", ".join(_data(version)),
            version.created_at,
        )
    console.print(table)


def run_show(options: ShowVersionOptions) -> None:
    """Print all that is known of a version, and the history of champions."""
    name = options.name
    found = _find(name, options.which)
    typer.echo(f"{name} version {found.version} ({', '.join(found.aliases) or 'no alias'})")
    typer.echo(f"registered: {found.created_at}, MLflow run: {found.run_id or 'none'}")
    for key, value in sorted(found.tags.items()):
        typer.echo(in_one_line(f"  {key}: {value}"))
    for key, value in _description(name, found).items():
        typer.echo(in_one_line(f"  {key}: {value}"))
    typer.echo("champions:")
    for event in champion_history(name):
        typer.echo(in_one_line(f"  {_in_words(event)}"))


def run_compare(options: CompareVersionsOptions) -> None:
    """Print what is on record of two versions: settings, data, and the numbers of their runs."""
    name = options.name
    versions = [_find(name, which) for which in (options.first, options.second)]
    described = [{**_description(name, v), **_numbers(v)} for v in versions]
    table = Table(title=name, title_justify="left")
    table.add_column("")
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
        f"CORPUS --weights {uris[1]} --against {uris[0]}",
        soft_wrap=True,
    )


def run_promote(options: PromoteOptions) -> None:
    """Make a version champion, and keep who did it and why."""
    name, reason = options.name, options.reason
    if not (reason and reason.strip()) and not options.yes:
        raise ConfigError(
            "a promotion by hand needs a reason",
            hint="Give --reason TEXT, which is kept with the version, or --yes to do without.",
        )
    version = _find(name, options.which).version
    # A detector that cannot be loaded must not become champion.
    resolve_detector(f"models:/{name}/{version}")
    # Until now the packaged one was champion: a rollback goes back to it.
    ensure_first_champion(name, who=_who())
    done = promote(name, version, who=_who(), why=reason or "no reason was given")
    _print_moved(name, done)


def run_rollback(options: RollbackOptions) -> None:
    """Make the last champion before the present one champion again."""
    why = options.reason or "no reason was given"
    _print_moved(options.name, roll_back(options.name, who=_who(), why=why))


def _print_moved(name: str, done: Promotion) -> None:
    before = "nobody" if done.was is None else f"version {done.was}"
    typer.echo(in_one_line(f"champion of {name}: version {done.version} (before: {before})"))
    typer.echo(in_one_line(f"kept: {_in_words(done)}"))


def _in_words(event: Promotion) -> str:
    return f"{event.at} {event.action} version {event.version} by {event.who}: {event.why}"


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    return f"{user} on {socket.gethostname()}"


def _find(name: str, which: str) -> RegisteredVersion:
    versions = list_versions(name)
    for version in versions:
        if which in (str(version.version), *version.aliases):
            return version
    if which == "latest" and versions:
        return versions[0]
    known = ", ".join(
        " ".join([str(v.version), *(f"({alias})" for alias in v.aliases)]) for v in versions
    )
    hint = "`deepfake setup` makes the packaged detector champion." if which == CHAMPION else None
    raise UnknownModelError(
        f"{name!r} has no version {which!r} (there are: {known or 'none'})", hint=hint
    )


def _data(version: RegisteredVersion) -> Iterator[str]:
    for key, value in sorted(version.tags.items()):
        if key.startswith("data."):
            yield f"{key.removeprefix('data.')} at {value}"


def _description(name: str, version: RegisteredVersion) -> dict[str, str]:
    """Return what the bundle says of itself, or why it cannot be used."""
    try:
        bundle = load_bundle(resolve_detector(f"models:/{name}/{version.version}")[0].path)
    except DeepfakeError as error:
        return {"bundle": f"cannot be used ({error})"}
    spec = bundle.spec
    return {
        "digest": bundle.digest,
        "network": f"{spec.architecture} at {spec.input_size} px",
        "heads": ", ".join(head.name for head in spec.heads),
        "began with": spec.pretrained_source,
        "learnt from": ", ".join(f"{k} at {v}" for k, v in spec.data_digests.items()),
        "trained at": spec.created_at,
        "decision": version.tags.get("decision", ""),
    }


def _numbers(version: RegisteredVersion) -> dict[str, str]:
    if version.run_id is None:
        return {}
    found = metrics_of_run(version.run_id)
    return {key: f"{value:.{_SHOWN_DIGITS}g}" for key, value in sorted(found.items())}
