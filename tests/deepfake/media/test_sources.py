"""Parsing sources of live pictures, and hiding their secrets."""

from __future__ import annotations

import pytest

from deepfake.errors import ConfigError
from deepfake.media import parse_source


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("0", "camera", "0"),
        ("12", "camera", "12"),
        ("/dev/video2", "camera", "2"),
        ("./0", "file", "./0"),
        ("clip.mp4", "file", "clip.mp4"),
        ("/srv/a b/clip.mp4", "file", "/srv/a b/clip.mp4"),
        ("rtsp://door.example/live", "network", "rtsp://door.example/live"),
        ("HTTPS://door.example/live", "network", "HTTPS://door.example/live"),
    ],
)
def test_cameras_files_and_addresses_are_distinguished(text: str, kind: str, address: str) -> None:
    source = parse_source(text)
    assert (source.kind, source.address) == (kind, address)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://me:word@door.example:8554/live", "rtsp://door.example:8554/..."),
        ("rtsp://me:p@ss/word@door.example/live", "rtsp://..."),
        ("rtsp://door.example/user=admin_password=word_channel=1", "rtsp://door.example/..."),
        ("http://door.example/?pwd=word", "http://door.example/..."),
        ("http://door.example?token=word", "http://door.example/..."),
        ("http://[::1]:80/word", "http://[::1]:80/..."),
        ("http://door.example", "http://door.example"),
        ("me:word@door.example/live", "***@door.example/live"),
    ],
)
def test_what_is_shown_holds_no_secret(text: str, shown: str) -> None:
    try:
        source = parse_source(text)
    except ConfigError as error:
        shown_text = str(error)
    else:
        shown_text = f"{source.shown} {source!r}"
        assert source.shown.startswith(shown)
    assert "word" not in shown_text
    assert "ss" not in shown_text.replace("address", "")


_REFUSED = [
    *["", " ", "ftp://me:word@host/clip", "file:///etc/passwd", "concat://word", "rtsp://"],
    *["http://", "http:///word", "rtsp://me:word@host:port/live", "http://[word/live"],
]


@pytest.mark.parametrize("text", _REFUSED)
def test_other_schemes_and_half_addresses_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_source(text)
    assert "word" not in f"{raised.value} {raised.value.hint}"
