"""Clients that keep a node from its work: silent, flooding and slow ones, on loopback.

``python -m tests.abuse.clients`` starts a node with TLS that serves one part, attacks it in every
way below, and prints for each what the node held before, at most and afterwards, and the latency
of an honest client that asks before and meanwhile. Every attack is bounded in count and time. The
attackers speak HTTP/2 by themselves: a client of gRPC holds each message that it has not sent, and
cannot leave one unfinished.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import select
import socket
import ssl
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import torch

from edgesim.serve.addresses import split_address
from edgesim.serve.deploy import pack
from edgesim.serve.protocol import open_inference_pb2 as wire
from tests.abuse.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOODS,
    HEADERS,
    INFER,
    PING,
    PREFACE,
    RESET,
    SETTINGS,
    Flood,
    flooding,
    frame,
    headers,
)
from tests.abuse.soak import held
from tests.edgesim.serve.cluster import ARTIFACT, Client, NodeProcess, fill, fresh_keys, node

MIB = 1 << 20
LARGE = round(13.9 * MIB)
"""A message that a node accepts by its size, just so."""
FILES = ("prlimit", "--nofile=1024:8192")
"""Descriptors of a node as a shell or systemd starts it: soft and hard limit."""
_AWAY, _WINDOW = 7, 8
_FRAME_BYTES = 16_384


def message(model: str, size: int) -> bytes:
    """Return a request to ``model`` of about ``size`` bytes, with the prefix that gRPC gives it."""
    request = wire.ModelInferRequest(model_name=model, id="7", raw_input_contents=[bytes(size)])
    data = request.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


def connect(address: str, keys: Path | None) -> socket.socket:
    """Return a connection to a node, without TLS where there are no keys."""
    peer = socket.create_connection(split_address(address), 5.0)
    if keys is None:
        return peer
    context = ssl.create_default_context(cafile=keys / "ca.pem")
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(peer, server_hostname="localhost")


@dataclass
class Http2:
    """One connection that sends the same message in many calls.

    Attributes:
        address: of the node.
        keys: folder of the client's keys; None without TLS.
        data: the message, with its prefix.
        calls: number of calls.
        withheld: bytes at the end of each message that are never sent.
        path: of the method.
        ended: calls that the node ended.
        sent: bytes of messages that were sent.
        closed: whether the node closed the connection.
        trailers: with which calls ended, as sent: their messages are plain text.
    """

    address: str
    keys: Path | None
    data: bytes
    calls: int
    withheld: int = 0
    path: str = INFER
    ended: int = 0
    sent: int = 0
    closed: bool = False
    trailers: list[bytes] = field(default_factory=list)
    _left: dict[int, int] = field(default_factory=dict)
    _windows: dict[int, int] = field(default_factory=dict)
    _window: int = 65_535
    _first_window: int = 65_535
    _most: float = math.inf
    _next: int = 1
    _read: bytearray = field(default_factory=bytearray)

    def run(self, until_s: float, stopped: threading.Event) -> None:
        """Send until all calls ended, ``time.monotonic() >= until_s``, or it is stopped."""
        with contextlib.suppress(OSError), connect(self.address, self.keys) as peer:
            peer.sendall(PREFACE + frame(SETTINGS))
            while time.monotonic() < until_s and not stopped.is_set():
                if self.closed or self.ended == self.calls:
                    break
                self._open(peer)
                busy = sum(self._send(peer, stream) for stream in list(self._left))
                self._receive(peer, 0.0 if busy else 0.02)

    def _open(self, peer: socket.socket) -> None:
        while len(self._left) < self._most and (self._next - 1) // 2 < self.calls:
            peer.sendall(frame(HEADERS, END_HEADERS, self._next, headers(self.path)))
            self._left[self._next] = len(self.data) - self.withheld
            self._windows[self._next] = self._first_window
            self._next += 2

    def _send(self, peer: socket.socket, stream: int) -> bool:
        """Send the next piece of a message; return whether there was one that may be sent."""
        size = min(self._left[stream], self._windows[stream], self._window, _FRAME_BYTES)
        if size <= 0:
            return False
        begin = len(self.data) - self.withheld - self._left[stream]
        self._left[stream] -= size
        self._windows[stream] -= size
        self._window -= size
        self.sent += size
        whole = self._left[stream] == 0 and not self.withheld
        piece = self.data[begin : begin + size]
        peer.sendall(frame(DATA, END_STREAM if whole else 0, stream, piece))
        return True

    def _receive(self, peer: socket.socket, wait_s: float) -> None:
        pending = isinstance(peer, ssl.SSLSocket) and peer.pending()
        if not pending and not select.select([peer], [], [], wait_s)[0]:
            return
        if not (data := peer.recv(65_536)):
            self.closed = True
        self._read += data
        while len(self._read) >= 9:
            size = int.from_bytes(self._read[:3], "big")
            if len(self._read) < 9 + size:
                break
            kind, flags, stream = (
                self._read[3],
                self._read[4],
                struct.unpack_from(">I", self._read, 5)[0],
            )
            body = bytes(self._read[9 : 9 + size])
            del self._read[: 9 + size]
            self._take(peer, kind, flags, stream & 0x7FFFFFFF, body)

    def _take(self, peer: socket.socket, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for key, value in struct.iter_unpack(">HI", body):
                if key == 3:
                    self._most = value
                elif key == 4:
                    for one in self._windows:
                        self._windows[one] += value - self._first_window
                    self._first_window = value
            peer.sendall(frame(SETTINGS, ACK))
        elif kind == PING and not flags & ACK:
            peer.sendall(frame(PING, ACK, 0, body))
        elif kind == _WINDOW:
            (more,) = struct.unpack(">I", body)
            if stream == 0:
                self._window += more
            elif stream in self._windows:
                self._windows[stream] += more
        elif kind == _AWAY:
            self.closed = True
        elif (kind == RESET or (kind == HEADERS and flags & END_STREAM)) and stream in self._left:
            del self._left[stream], self._windows[stream]
            self.ended += 1
            self.trailers.append(body)


@contextlib.contextmanager
def calling(peers: Sequence[Http2], seconds: float) -> Iterator[None]:
    """Let connections send in threads of their own meanwhile, ``seconds`` at most."""
    stopped, until_s = threading.Event(), time.monotonic() + seconds
    threads = [threading.Thread(target=one.run, args=(until_s, stopped)) for one in peers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def silent(address: str, count: int, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """Hold connections that never say anything."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                one = socket.create_connection(split_address(address), 1.0, (source, 0))
                made.append(stack.enter_context(one))
        yield made


def open_ones(sockets: Sequence[socket.socket]) -> int:
    """Return how many connections the other side has not closed."""
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLRDHUP)
    return len(sockets) - len(poll.poll(0))


@dataclass
class Watch:
    """What a node holds, and how soon it answers an honest client, meanwhile.

    Attributes:
        process: number of the node's process.
        ask: asks once, on a connection that is there.
        seconds: of every answer.
        failed: reasons of those that did not come.
        most_mib: largest resident memory.
        most_files: largest number of descriptors.
    """

    process: int
    ask: Callable[[], object]
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    most_mib: float = 0.0
    most_files: int = 0

    def during(self, seconds: float, until: Callable[[], bool] = lambda: False) -> Watch:
        """Ask again and again for some time, or until something holds."""
        # Linux then remembers the most that the process has held from here on.
        process = Path("/proc", str(self.process))
        (process / "clear_refs").write_text("5")
        stopped = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(stopped,))
        sampler.start()
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            begun_s = time.monotonic()
            try:
                self.ask()
                self.seconds.append(time.monotonic() - begun_s)
            except grpc.RpcError as error:
                self.failed.append(error.code().name)
            time.sleep(0.01)
        stopped.set()
        sampler.join()
        lines = (process / "status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        self.most_mib = max(self.most_mib, int(status["VmHWM"].split()[0]) / 1024)
        return self

    def _sample(self, stopped: threading.Event) -> None:
        while True:
            self.most_files = max(self.most_files, held(self.process)[1])
            if stopped.wait(0.02):
                return

    def told(self) -> str:
        """Return the latencies: median and largest."""
        if not self.seconds:
            return "none answered"
        failed = f", {len(self.failed)} failed ({', '.join(sorted(set(self.failed)))})"
        middle, most = statistics.median(self.seconds) * 1e3, max(self.seconds) * 1e3
        return f"{middle:.1f} ms, {most:.0f} ms{failed if self.failed else ''}"


@dataclass(frozen=True)
class Attacked:
    """A node that serves ``part-0``, and an honest client of it.

    Attributes:
        node: the node.
        keys: folder of all keys.
        image: what the honest client asks.
    """

    node: NodeProcess
    keys: Path
    image: torch.Tensor

    @property
    def pid(self) -> int:
        """Number of the node's process."""
        return self.node.process.pid

    def ask_anew(self) -> None:
        """Connect, ask and close."""
        with Client(self.node.inference, self.keys / "client") as client:
            client.infer("part-0", {"input": self.image}, timeout=5.0)

    def connector(self, service: str) -> Callable[[], socket.socket]:
        """Return what connects a client to the service ``inference`` or ``admin``."""
        return partial(connect, getattr(self.node, service), self.keys / "client")

    def peers(self, connections: int, calls: int, size: int, withheld: int = 0) -> list[Http2]:
        """Return connections that share so many calls to an unknown model."""
        data = message("none", size)
        each = calls // connections
        return [
            Http2(self.node.inference, self.keys / "client", data, each, withheld)
            for _ in range(connections)
        ]


@contextlib.contextmanager
def attacked(folder: Path, *options: str) -> Iterator[Attacked]:
    """Start a node that may have 1,024 descriptors, and put a part on it."""
    keys = fresh_keys(folder / "keys")
    with node(folder / "store", keys / "localhost", *options, inside=FILES) as running:
        with Client(running.admin, keys / "admin") as admin:
            fill(admin, pack(ARTIFACT, keys / "admin").manifest, ["part-0"])
        yield Attacked(running, keys, torch.zeros(1, 1, 32, 32))


def _silent(one: Attacked, count: int, seconds: float) -> str:
    before = Watch(one.pid, one.ask_anew).during(2.0)
    with silent(one.node.inference, count) as sockets:
        meanwhile = Watch(one.pid, one.ask_anew).during(seconds)
        left = open_ones(sockets)
    return (
        f"{len(sockets)} connected, {left} still open after {seconds:g} s; "
        f"descriptors {before.most_files} → at most {meanwhile.most_files} "
        f"| {before.told()} | {meanwhile.told()}"
    )


def _calls(one: Attacked, peers: list[Http2], seconds: float, after_s: float) -> str:
    with Client(one.node.inference, one.keys / "client") as client:

        def ask() -> None:
            client.infer("part-0", {"input": one.image}, timeout=10.0)

        before = Watch(one.pid, ask).during(3.0)
        rest, _, _ = held(one.pid)
        meanwhile = Watch(one.pid, ask)
        with calling(peers, seconds):
            meanwhile.during(seconds, lambda: all(p.ended == p.calls or p.closed for p in peers))
        Watch(one.pid, ask).during(after_s)
    end, _, _ = held(one.pid)
    sent = sum(peer.sent for peer in peers) / MIB
    ended = sum(peer.ended for peer in peers)
    return (
        f"{sent:,.0f} MiB sent, {ended} calls ended; "
        f"memory {rest:.0f} MiB → at most {meanwhile.most_mib:.0f} "
        f"(+{meanwhile.most_mib - rest:.0f}), {after_s:g} s later {end:.0f} (+{end - rest:.0f}) "
        f"| {before.told()} | {meanwhile.told()}"
    )


def _frames(one: Attacked, flood: Flood, seconds: float, after_s: float) -> str:
    with Client(one.node.inference, one.keys / "client") as client:

        def ask() -> None:
            client.infer("part-0", {"input": one.image}, timeout=10.0)

        before = Watch(one.pid, ask).during(3.0)
        rest, _, _ = held(one.pid)
        with flooding(flood, one.connector(flood.service), 4) as sent:
            meanwhile = Watch(one.pid, ask).during(seconds)
        Watch(one.pid, ask).during(after_s)
    end, _, _ = held(one.pid)
    return (
        f"{sum(sent) / MIB:,.0f} MiB sent; memory {rest:.0f} MiB → at most "
        f"{meanwhile.most_mib:.0f} (+{meanwhile.most_mib - rest:.0f}), {after_s:g} s later "
        f"{end:.0f} (+{end - rest:.0f}) | {before.told()} | {meanwhile.told()}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack a new node in every way, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.clients", description=__doc__)
    parser.add_argument("--connections", type=int, default=1100, help="silent ones")
    parser.add_argument("--calls", type=int, default=128, help="of the flood")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each attack, at most")
    parser.add_argument("--after", type=float, default=10.0, help="seconds of rest afterwards")
    parser.add_argument("--only", default="", help="attacks whose name begins so")
    asked = parser.parse_args(arguments)
    calls, seconds = asked.calls, asked.seconds
    attacks: dict[str, Callable[[Attacked], str]] = {
        f"{asked.connections} silent connections": lambda one: _silent(
            one, asked.connections, seconds
        ),
    }
    for mib, size in ((15.9, round(15.9 * MIB)), (13.9, LARGE)):
        for count in (1, 2):
            attacks[f"{calls} calls of {mib} MiB on {count} connection{'s' * (count > 1)}"] = (
                lambda one, count=count, size=size: _calls(
                    one, one.peers(count, calls, size), seconds, asked.after
                )
            )
    for count in (1, 4):
        attacks[f"100 unfinished calls on {count} connection{'s' * (count > 1)}"] = (
            lambda one, count=count: _calls(
                one, one.peers(count, 100, LARGE, 1), seconds, asked.after
            )
        )
    for name, flood in FLOODS.items():
        attacks[f"4 connections of {name}"] = lambda one, flood=flood: _frames(
            one, flood, seconds, asked.after
        )
    print("| attack | the node | honest client before: median, most | meanwhile |")
    print("|---|---|---|---|")
    for name, attack in attacks.items():
        if name.startswith(asked.only):
            with tempfile.TemporaryDirectory() as folder, attacked(Path(folder)) as one:
                print(f"| {name} | {attack(one)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
