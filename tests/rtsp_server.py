"""An RTSP server (RFC 2326) that streams one video, interleaved in the same connection.

FFmpeg has no such server. Packets are made by FFmpeg's own RTP muxer; times are those of the clock.
"""

from __future__ import annotations

import hashlib
import io
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["RtspServer"]

_PAYLOAD_TYPE = 96
_REALM, _NONCE = "camera", "0123456789abcdef"
_RTCP_TYPES = range(200, 205)
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    f"m=video 0 RTP/AVP {_PAYLOAD_TYPE}\r\n"
    f"a=rtpmap:{_PAYLOAD_TYPE} H264/90000\r\n"
    f"a=fmtp:{_PAYLOAD_TYPE} packetization-mode=1\r\na=control:track0\r\n"
)


class _Packets(io.RawIOBase):
    """What the muxer writes, a packet each."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        packet = bytes(data)  # type: ignore[call-overload]
        self.written.append(packet)
        return len(packet)


class RtspServer:
    """Serves frames, over and over, to one client after another; use it in a `with` block.

    Args:
        frames: (H, W, 3) RGB uint8 each, sides even.
        fps: Frames a second.
        port: Where; 0 for any that is free.
        login: Name and password that it asks for, by digest (RFC 2617); None to let everybody in.
    """

    def __init__(
        self,
        frames: Sequence[NDArray[np.uint8]],
        *,
        fps: int = 15,
        port: int = 0,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._frames, self._fps, self._login = frames, fps, login
        self._listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self._listener.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[str] = []

    def __enter__(self) -> RtspServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave every client and the port; closing twice does no harm."""
        self._stop.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            with client:
                try:
                    client.settimeout(10)
                    if self._agree(client):
                        self._play(client)
                except OSError:
                    continue  # the client left

    def _agree(self, client: socket.socket) -> bool:
        """Answer requests up to PLAY."""
        buffer = b""
        while not self._stop.is_set():
            while b"\r\n\r\n" not in buffer:
                data = client.recv(4096)
                if not data:
                    return False
                buffer += data
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            text = head.decode()
            self.requests.append(text)
            method = text.split(" ", 1)[0]
            is_let_in = self._login is None or _is_by(text, self._login)
            client.sendall(_answer(method, text) if is_let_in else _refusal(text))
            if method == "PLAY" and is_let_in:
                return True
        return False

    def _play(self, client: socket.socket) -> None:
        began = time.monotonic()
        for number, packets in enumerate(self._encoded()):
            if self._stop.wait(max(0.0, began + number / self._fps - time.monotonic())):
                return
            for packet in packets:
                channel = 1 if packet[1] in _RTCP_TYPES else 0
                client.sendall(b"$" + struct.pack(">BH", channel, len(packet)) + packet)

    def _encoded(self) -> Iterator[list[bytes]]:
        sink = _Packets()
        options = {"packetsize": "1200", "payload_type": str(_PAYLOAD_TYPE)}
        with av.open(sink, "w", format="rtp", container_options=options) as container:
            stream = container.add_stream(
                "libx264",
                rate=self._fps,
                # Headers before each key frame, so that a client may come at any time.
                options={"preset": "ultrafast", "tune": "zerolatency", "g": "5"},
            )
            stream.height, stream.width = self._frames[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            number = 0
            while True:
                pixels = self._frames[number % len(self._frames)]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
                packets, sink.written = sink.written, []
                yield packets
                number += 1


def _lines(request: str) -> dict[str, str]:
    return {k.lower(): v for k, v in (r.split(": ", 1) for r in request.split("\r\n")[1:])}


def _is_by(request: str, login: tuple[str, str]) -> bool:
    """Return whether a request is signed with name and password."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', _lines(request).get("authorization", "")))
    method, name, password = request.split(" ", 1)[0], *login

    def digest(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    who, what = digest(name, _REALM, password), digest(method, fields.get("uri", ""))
    return fields.get("username") == name and fields.get("response") == digest(who, _NONCE, what)


def _refusal(request: str) -> bytes:
    asked = f'WWW-Authenticate: Digest realm="{_REALM}", nonce="{_NONCE}"'
    cseq = _lines(request)["cseq"]
    return f"RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\n{asked}\r\n\r\n".encode()


def _answer(method: str, request: str) -> bytes:
    headers = [f"CSeq: {_lines(request)['cseq']}"]
    body = ""
    if method == "OPTIONS":
        headers.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    elif method == "DESCRIBE":
        body = _SDP
        headers += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    elif method == "SETUP":
        headers += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
    elif method == "PLAY":
        headers += ["Session: 1", "Range: npt=0.000-"]
    return ("RTSP/1.0 200 OK\r\n" + "\r\n".join(headers) + "\r\n\r\n" + body).encode()
