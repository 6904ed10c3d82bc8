"""`deepfake app`: the web page, on loopback unless another address is named."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path

import typer

from deepfake.cli.detector_choice import data_root_of
from deepfake.compute.devices import resolve_device
from deepfake.config.options import AppOptions
from deepfake.errors import ConfigError
from deepfake.registry import absolute_uri
from deepfake.registry.resolve import resolve_detector
from deepfake.storage import is_store_uri, location_of
from deepfake.storage.environment import configure_environment
from deepfake.views.webapp import AppSettings, page_command, page_environment, page_folder

__all__ = ["run_app"]

_TRACKING = "MLFLOW_TRACKING_URI"


def run_app(options: AppOptions) -> None:
    """Replace this process by the one that serves the page; Ctrl-C ends it."""
    data_root = data_root_of(options.data_root)
    configure_environment(data_root)
    resolve_device(options.device)
    _check_port(options.host, options.port)
    outputs = [str(location_of(output)) for output in options.output or ()]
    for output in outputs:
        if not (location_of(output) / "run.json").is_file():
            typer.echo(f"note: no finished results are in {output} yet", err=True)
    if options.weights is not None:
        resolve_detector(options.weights, data_root=data_root)
    limits = options.model_dump(include={"max_mb", "max_seconds", "max_pixels"})
    costs = options.model_dump(include={"cpu_seconds", "memory_mb", "device"})
    is_loopback = _is_loopback(options.host)
    settings = AppSettings(
        data_root=data_root.absolute(),
        outputs=tuple(o if is_store_uri(o) else str(Path(o).absolute()) for o in outputs),
        is_showing_paths=is_loopback,
        weights=_absolute(options.weights),
        **limits,
        **costs,
    )
    command = page_command(settings, host=options.host, port=options.port)
    if not is_loopback:
        typer.echo(
            "warning: the page has no password: whoever reaches this address can use it, "
            "and see the results that are offered",
            err=True,
        )
    environment = page_environment(settings)
    if uri := environment.get(_TRACKING):
        environment[_TRACKING] = absolute_uri(uri)
    os.chdir(page_folder())
    os.execve(command[0], command, environment)


def _absolute(weights: str | None) -> str | None:
    """Return the absolute path of a detector on disk; a name in the registry stays as it is."""
    is_path = weights is not None and Path(weights).exists()
    return str(Path(weights).absolute()) if is_path and weights else weights


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port} ({error.strerror})",
            hint="Name another with --port, or --host.",
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
