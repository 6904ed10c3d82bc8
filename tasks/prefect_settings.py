"""Keep Prefect from reading settings in the working folder.

Prefect looks for `.env`, `prefect.toml` and `pyproject.toml` wherever a command is run, also in a
folder of downloads. There they could send runs to another server or name code to be loaded. What
counts is the environment, and the profile that `PREFECT_PROFILES_PATH` names.

Prefect reads its settings while it is imported, so the two modules that know of files are changed
at the moment in which they are loaded. Prefect itself is not imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["ignore_working_folder"]

_SOURCES = "prefect.settings.sources"
_BASE = "prefect.settings.base"


def ignore_working_folder() -> None:
    """Let no file of the working folder set Prefect up; calling it again changes nothing."""
    if any(isinstance(finder, _SettingsFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _SettingsFinder())
    for name, restrict in _RESTRICTIONS.items():
        if name in sys.modules:
            restrict(sys.modules[name])


class _SettingsFinder(MetaPathFinder):
    """Finds the modules of settings as usual, and changes each once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        restrict = _RESTRICTIONS.get(fullname)
        if restrict is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                restrict(module)

            loader.exec_module = exec_module
        return spec


def _restrict_sources(sources: Any) -> None:
    """Take the sources away that are files of the working folder."""
    dotenv = sources.FilteredDotEnvSettingsSource
    if getattr(dotenv, "is_restricted", False):
        return
    create = dotenv.__init__

    def create_without_file(self: Any, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **{**kwargs, "env_file": None})

    dotenv.__init__ = create_without_file
    dotenv.is_restricted = True
    sources.TomlConfigSettingsSourceBase._read_files = _read_nothing
    in_folder = sources._get_profiles_path

    def profiles_path() -> Path:
        # Named in the environment it is taken from there first; else the files would be asked.
        named: Path = in_folder() if _is_profile_named(sources) else sources.DEFAULT_PROFILES_PATH
        return named

    sources._get_profiles_path = profiles_path


def _restrict_base(base: Any) -> None:
    """Give classes of settings that are made from now on no file of the working folder."""
    build = base.build_settings_config

    def build_without_files(*args: Any, **kwargs: Any) -> Any:
        return {**build(*args, **kwargs), "env_file": None}

    base.build_settings_config = base._build_settings_config = build_without_files


def _read_nothing(self: Any, files: object) -> dict[str, Any]:
    return {}


def _is_profile_named(sources: Any) -> bool:
    return bool(sources._is_test_mode() or sources.os.getenv("PREFECT_PROFILES_PATH"))


_RESTRICTIONS: dict[str, Callable[[Any], None]] = {
    _SOURCES: _restrict_sources,
    _BASE: _restrict_base,
}
