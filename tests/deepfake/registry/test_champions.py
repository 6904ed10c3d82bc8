"""Champions on a real SQLite store: the first one, promotions, the way back, and kills between."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake import registry
from deepfake.errors import BundleError, ConfigError, TrackingError, UnknownModelError
from deepfake.registry.resolve import resolve_detector
from tests.log_bundle import log_bundle

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

_names = (f"model-{i}" for i in itertools.count())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return registry.tracking_uri(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: str) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def name() -> str:
    """Return a model that nobody used before."""
    return next(_names)


@pytest.fixture
def client(store: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store)


def _uri() -> str:
    return registry.tracking_uri(Path("data"))


def _register(name: str, folder: Path, *, digest: str, text: str = "{}") -> int:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "detector.json").write_text(text)
    run_id = log_bundle(folder, experiment="champions", run_name=digest, uri=_uri())
    return registry.register_once(
        run_id, name=name, digest=digest, tags={"data.c": "0" * 16}, uri=_uri()
    )


def _champion(name: str) -> int | None:
    return next(
        (v.version for v in registry.list_versions(name, uri=_uri()) if "champion" in v.aliases),
        None,
    )


def _promote(name: str, version: int, reason: str = "it is better") -> registry.Promotion:
    return registry.promote(name, version, author="ann", reason=reason, uri=_uri())


def test_the_way_back_ends_at_the_packaged_detector(name: str, tmp_path: Path) -> None:
    _register(name, tmp_path / "a", digest="aa")
    with pytest.raises(ConfigError, match="no champion to roll back from"):
        registry.roll_back(name, author="bob", reason="", uri=_uri())
    _promote(name, 1)
    done = registry.roll_back(name, author="bob", reason="alarms", uri=_uri())
    assert (done.version, done.was) == (None, 1)
    assert (
        _champion(name) is None
        and registry.champion_or_none(name, uri=_uri(), cache=Path("cache")) is None
    )
    assert len(registry.list_versions(name, uri=_uri())) == 1, "nothing was registered for it"
    assert registry.list_rolled_back(name, uri=_uri()) == {1}
    with pytest.raises(ConfigError, match="no champion to roll back from"):
        registry.roll_back(name, author="bob", reason="", uri=_uri())
    _promote(name, 1)
    assert registry.list_rolled_back(name, uri=_uri()) == set()
    assert [e.version for e in registry.champion_history(name, uri=_uri())] == [1, None, 1]


def test_a_roll_back_to_nobody_that_was_killed_before_the_alias_does_not_count(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    _register(name, tmp_path / "a", digest="aa")
    _promote(name, 1)
    with monkeypatch.context() as patched:
        patched.setattr(
            MlflowClient,
            "delete_registered_model_alias",
            lambda *_, **__: (_ for _ in ()).throw(SystemExit),
        )
        with pytest.raises(SystemExit):
            registry.roll_back(name, author="bob", reason="", uri=_uri())
    assert _champion(name) == 1
    assert [e.version for e in registry.champion_history(name, uri=_uri())] == [1]


def test_who_was_compared_with_the_packaged_detector_expects_nobody(
    name: str, tmp_path: Path
) -> None:
    for digest in ("a1", "a2"):
        _register(name, tmp_path / digest, digest=digest)
    registry.promote(name, 1, author="retrain", reason="", expected="nobody", uri=_uri())
    with pytest.raises(TrackingError, match=r"version 1 .* is champion now, not nobody"):
        registry.promote(name, 2, author="retrain", reason="", expected="nobody", uri=_uri())


def test_a_bundle_is_registered_once(name: str, tmp_path: Path) -> None:
    assert _register(name, tmp_path / "a", digest="aa") == 1
    assert _register(name, tmp_path / "b", digest="bb") == 2
    assert _register(name, tmp_path / "a", digest="aa") == 1
    assert [v.version for v in registry.list_versions(name, uri=_uri())] == [2, 1]


def test_rolling_back_goes_back_step_by_step(name: str, tmp_path: Path) -> None:
    for digest in ("a1", "a2", "a3", "a4"):
        _register(name, tmp_path / digest, digest=digest)
    for version in (1, 2, 3):
        _promote(name, version)
    assert _champion(name) == 3
    assert registry.roll_back(name, author="bob", reason="alarms", uri=_uri()).version == 2
    assert registry.roll_back(name, author="bob", reason="more alarms", uri=_uri()).version == 1
    assert _champion(name) == 1
    assert registry.list_rolled_back(name, uri=_uri()) == {2, 3}
    _promote(name, 4)
    _promote(name, 2)
    assert registry.list_rolled_back(name, uri=_uri()) == {3}
    assert registry.roll_back(name, author="bob", reason="", uri=_uri()).version == 4
    assert registry.roll_back(name, author="bob", reason="", uri=_uri()).version == 1
    changes = [(e.action, e.version, e.who) for e in registry.champion_history(name, uri=_uri())]
    assert changes[:5] == [
        ("promote", 1, "ann"),
        ("promote", 2, "ann"),
        ("promote", 3, "ann"),
        ("rollback", 2, "bob"),
        ("rollback", 1, "bob"),
    ]
    tags = {v.version: v.tags for v in registry.list_versions(name, uri=_uri())}
    assert tags[4]["promote.who"] == "ann" and tags[4]["promote.why"] == "it is better"
    assert tags[1]["rollback.who"] == "bob"


def test_promoting_the_champion_again_changes_nothing(name: str, tmp_path: Path) -> None:
    _register(name, tmp_path / "a", digest="a")
    first = _promote(name, 1, reason="first")
    assert _promote(name, 1, reason="again") == first
    assert len(registry.champion_history(name, uri=_uri())) == 1


def test_a_promotion_that_was_killed_before_the_alias_does_not_count(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    for digest in ("a1", "a2", "a3"):
        _register(name, tmp_path / digest, digest=digest)
    _promote(name, 1)
    _promote(name, 2)
    with monkeypatch.context() as patched:
        patched.setattr(
            MlflowClient,
            "set_registered_model_alias",
            lambda *_, **__: (_ for _ in ()).throw(SystemExit),
        )
        with pytest.raises(SystemExit):
            _promote(name, 3)
    assert _champion(name) == 2
    assert [e.version for e in registry.champion_history(name, uri=_uri())] == [1, 2]
    assert registry.roll_back(name, author="bob", reason="", uri=_uri()).version == 1
    _promote(name, 3)
    assert [e.version for e in registry.champion_history(name, uri=_uri())] == [1, 2, 1, 3]


def test_an_alias_that_was_moved_by_hand_is_part_of_the_history(
    name: str, tmp_path: Path, client: Any
) -> None:
    for digest in ("a1", "a2", "a3"):
        _register(name, tmp_path / digest, digest=digest)
    _promote(name, 1)
    client.set_registered_model_alias(name, "champion", "2")
    assert [e.action for e in registry.champion_history(name, uri=_uri())] == ["promote", "found"]
    _promote(name, 3)
    assert registry.roll_back(name, author="bob", reason="", uri=_uri()).version == 2
    assert registry.roll_back(name, author="bob", reason="", uri=_uri()).version == 1


def test_a_promotion_expects_whom_it_was_compared_with(name: str, tmp_path: Path) -> None:
    for digest in ("a1", "a2", "a3"):
        _register(name, tmp_path / digest, digest=digest)
    _promote(name, 2)
    with pytest.raises(TrackingError, match=r"version 2 .* is champion now, not 1"):
        registry.promote(name, 3, author="retrain", reason="", expected=1, uri=_uri())
    with pytest.raises(UnknownModelError, match=r"no version 9 \(there are: 1, 2, 3\)"):
        _promote(name, 9)
    assert _champion(name) == 2


def test_a_challenger_that_becomes_champion_is_challenger_no_more(
    name: str, tmp_path: Path
) -> None:
    for digest in ("a1", "a2"):
        _register(name, tmp_path / digest, digest=digest)
    _promote(name, 1)
    registry.set_alias(name, alias="challenger", version=2, uri=_uri())
    assert {v.version: v.aliases for v in registry.list_versions(name, uri=_uri())}[2] == (
        "challenger",
    )
    _promote(name, 2)
    aliases = {v.version: v.aliases for v in registry.list_versions(name, uri=_uri())}
    assert aliases == {1: (), 2: ("champion",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 99}', "schema version 99 of the bundle is not"),
        ("no json", "detector.json is not JSON"),
        ('{"schema_version": 2}', "Field required"),
    ],
)
def test_a_version_of_another_schema_is_refused_by_name(
    name: str, tmp_path: Path, text: str, message: str
) -> None:
    _register(name, tmp_path / "a", digest="a", text=text)
    with pytest.raises(
        BundleError, match=f"{name} version 1 is not a deepfake detector.*{message}"
    ) as caught:
        resolve_detector(f"models:/{name}/1")
    assert "deepfake models rollback" in (caught.value.hint or "")


def test_a_version_that_somebody_registered_from_elsewhere_is_refused(
    name: str, tmp_path: Path, client: Any
) -> None:
    (tmp_path / "pickles").mkdir()
    (tmp_path / "pickles" / "model.pkl").write_bytes(b"anything")
    client.create_registered_model(name)
    client.create_model_version(name, (tmp_path / "pickles").as_uri())
    client.create_model_version(name, (tmp_path / "pickles" / "model.pkl").as_uri())
    with pytest.raises(BundleError, match=f"{name} version 1 .* no detector.json"):
        resolve_detector(f"models:/{name}/1")
    with pytest.raises(TrackingError, match="a file, not a detector bundle"):
        resolve_detector(f"models:/{name}/2")


def test_a_damaged_history_is_said(name: str, tmp_path: Path, client: Any) -> None:
    _register(name, tmp_path / "a", digest="a")
    _promote(name, 1)
    client.set_registered_model_tag(name, "champion.0001", json.dumps({"version": 1}))
    with pytest.raises(TrackingError, match=r"champion\.0001 .* is damaged"):
        registry.champion_history(name, uri=_uri())


def test_nothing_is_asked_of_a_store_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert registry.list_versions(uri=_uri()) == []
    assert registry.champion_history(uri=_uri()) == []
    with pytest.raises(UnknownModelError, match="no registry"):
        registry.roll_back(author="bob", reason="", uri=_uri())
    assert list(tmp_path.iterdir()) == []
