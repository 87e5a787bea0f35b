"""The log of a node, which clients do not fill, and its counts, which a client does not hold up."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edgesim.serve import telemetry
from edgesim.serve.telemetry import MOST_WARNINGS, WINDOW_S, JsonLines, Metrics, WarningLimit


def ask(*requests: bytes, then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> list[bytes]:
    """Send each on a connection of its own, and do what follows; return all that comes back."""

    async def run() -> list[bytes]:
        server = await Metrics().listen("127.0.0.1", 0)
        found = []
        async with server:
            port = server.sockets[0].getsockname()[1]
            for data in requests:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(data)
                await then(writer)
                try:
                    async with asyncio.timeout(60.0):
                        found.append(await reader.read())
                except ConnectionResetError:
                    found.append(b"reset")
                writer.close()
        return found

    return asyncio.run(run())


async def _wait(writer: asyncio.StreamWriter) -> None:
    """Say nothing more."""


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()


def test_counts_are_a_page_of_text() -> None:
    (page,) = ask(b"GET /metrics?name=1 HTTP/1.1\r\nHost: x\r\n\r\n", then=_wait)
    head, _, body = page.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"edgesim_waiting_requests 0.0\n" in body


def test_other_requests_are_answered_without_a_page() -> None:
    others = (b"GET /other HTTP/1.1\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n", b" \r\n\r\n")
    for answer in ask(*others, then=_wait):
        assert answer.startswith(b"HTTP/1.1 404 Not Found")
        assert answer.endswith(b"Content-Length: 0\r\nConnection: close\r\n\r\n")


def test_no_request_is_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 100_000
    assert ask(endless, then=_wait) in ([b"reset"], [b""])
    cut = b"GET /metrics HTTP/1.1\r\n"
    assert ask(cut, then=_end) in ([b"reset"], [b""])
    monkeypatch.setattr(telemetry, "_HTTP_S", 0.05)
    assert ask(cut, b"", then=_wait) in ([b"reset"] * 2, [b""] * 2)


class Log:
    """A logger with a clock of its own, and what it logged."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(JsonLines())
        handler.addFilter(WarningLimit(lambda: self.now_s))
        self._logger = logging.Logger("node")
        self._logger.addHandler(handler)

    def say(self, event: str, level: int = logging.WARNING, **fields: object) -> None:
        telemetry.log_event(self._logger, event, level, **fields)

    def read(self) -> list[dict[str, Any]]:
        """Return the events since the last time."""
        lines = self._stream.getvalue().splitlines()
        self._stream.seek(0)
        self._stream.truncate()
        return [json.loads(line) for line in lines]


def test_a_warning_that_comes_again_and_again_does_not_fill_the_log() -> None:
    log = Log()
    for number in range(1000):
        log.say("refused", peer=number)
        log.say("served", logging.INFO)
    events = log.read()
    assert [one["peer"] for one in events if one["event"] == "refused"] == [*range(MOST_WARNINGS)]
    assert sum(one["event"] == "served" for one in events) == 1000
    # Another event has its own count, and the first one after the window tells what is missing.
    log.say("failed", logging.ERROR)
    log.now_s = WINDOW_S
    log.say("refused", peer=1000)
    log.say("refused", peer=1001)
    failed, first, second = log.read()
    assert failed["event"] == "failed"
    assert (first["peer"], first["left_out_before"]) == (1000, 1000 - MOST_WARNINGS)
    assert "left_out_before" not in second


def test_events_that_differ_each_time_count_together() -> None:
    log = Log()
    for number in range(1000):
        log.say(f"event {number}")
    assert len(log.read()) == 2 * MOST_WARNINGS
