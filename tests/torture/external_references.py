"""Files that refer to other files and hosts, none of which may be opened."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from tests.torture.bad_file import Kind, Outside
from tests.torture.stills import face_jpeg
from tests.torture.videos import face_clip

__all__ = ["EXTERNAL_REFERENCES"]


def _text(template: str) -> Callable[[Path, Outside], None]:
    def write(path: Path, outside: Outside) -> None:
        text = template.replace("{url}", outside.url).replace("{canary}", str(outside.canary))
        path.write_text(text.replace("{hidden}", outside.hidden), encoding="utf-8")

    return write


_HLS = (
    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
    "#EXTINF:10,\n{url}/hls.ts\n#EXTINF:10,\nfile://{canary}\n"
    "#EXTINF:10,\n{hidden}\n#EXT-X-ENDLIST\n"
)
_CONCAT = "ffconcat version 1.0\nfile '{hidden}'\nfile '{canary}'\nfile '{url}/concat.mp4'\n"
_SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
_DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="9"><BaseURL>{url}/dash.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>"
)
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    '<image href="{url}/svg.png"/><image xlink:href="file://{canary}"/></svg>'
)
_XXE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{canary}">'
    '<!ENTITY f SYSTEM "{url}/xxe">]><svg>&e;&f;</svg>'
)


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, name) + body


def _outside_data(kind: bytes) -> Callable[[Path, Outside], None]:
    """Return what writes a movie whose pictures lie in another file, by a data reference."""

    def write(path: Path, outside: Outside) -> None:
        data = face_clip(path, options={"movflags": "+faststart"}).read_bytes()
        # ISO 14496-12, 8.7.2: flag 1 says that the data are in this file; here it is not set.
        own = _box(b"url ", b"\0\0\0\1")
        place = {b"url ": f"{outside.url}/dref.mp4\0", b"alis": f"{outside.canary}\0"}[kind]
        other = _box(kind, bytes(4), place.encode())
        path.write_bytes(_with_reference(data, own=own, other=other))

    return write


def _with_reference(data: bytes, *, own: bytes, other: bytes) -> bytes:
    grown = len(other) - len(own)
    changed = data.replace(own, other, 1)
    assert changed != data
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = changed.index(name) - 4
        (size,) = struct.unpack_from(">I", changed, at)
        changed = changed[:at] + struct.pack(">I", size + grown) + changed[at + 4 :]
    return changed


def _reference_movie(path: Path, outside: Outside) -> None:
    """Write a QuickTime movie that is nothing but the address of another one."""
    address = f"{outside.url}/reference.mov\0".encode()
    reference = _box(b"rdrf", bytes(4), b"url ", struct.pack(">I", len(address)), address)
    path.write_bytes(
        _box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
        + _box(b"moov", _box(b"rmra", _box(b"rmda", reference)))
    )


def _described(path: Path, outside: Outside) -> None:
    """Write a picture whose description names addresses."""
    xmp = f"<x:xmpmeta><a href='{outside.url}/xmp'/>{outside.canary}</x:xmpmeta>".encode()
    body = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    jpeg = face_jpeg()
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:])


EXTERNAL_REFERENCES = [
    Kind("playlist.m3u8", "unsupported", _text(_HLS)),
    Kind("playlist.mp4", "unsupported", _text(_HLS)),
    Kind("playlist-with-mark.ts", "unsupported", _text("\ufeff" + _HLS)),
    Kind("playlist.m3u", "unsupported", _text("{url}/m3u.mp4\n{canary}\n")),
    Kind("playlist.pls", "unsupported", _text("[playlist]\nFile1={url}/pls.mp4\n")),
    Kind("playlist.asx", "unsupported", _text('<asx><ref href="{url}/asx.wmv"/></asx>')),
    Kind("redirect.wmv", "unsupported", _text("[Reference]\nRef1={url}/wmv\n")),
    Kind("real.ram", "unsupported", _text("{url}/real.rm\n")),
    Kind("list.ffconcat", "unsupported", _text(_CONCAT)),
    Kind("list.mkv", "unsupported", _text(_CONCAT)),
    Kind("session.sdp", "unsupported", _text(_SDP)),
    Kind("session.mp4", "unsupported", _text(_SDP)),
    Kind("manifest.mpd", "unsupported", _text(_DASH)),
    Kind("manifest.mp4", "unsupported", _text(_DASH)),
    Kind("drawing.svg", "unsupported", _text(_SVG)),
    Kind("drawing.png", "unsupported", _text(_SVG)),
    Kind("entities.svg", "unsupported", _text(_XXE)),
    Kind("address.mp4", "unsupported", _text("{url}/address.mp4\n")),
    Kind("path.mp4", "unsupported", _text("file:{canary}\n")),
    Kind("sibling.mp4", "unsupported", _text("{hidden}\n")),
    Kind("subtitles.idx", "unsupported", _text("# VobSub index file, v7\nid: en, index: 0\n")),
    Kind("outside-data-url.mov", "ok decode_error", _outside_data(b"url ")),
    Kind("outside-data-alias.mov", "ok decode_error", _outside_data(b"alis")),
    Kind("reference.mov", "unsupported decode_error", _reference_movie),
    Kind("described.jpg", "ok", _described),
]
