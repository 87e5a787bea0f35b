"""The time of a byte between two machines and back, beside that within one: a link's latency.

python -m tests.edgesim.serve.echo serve HOST      prints its port, echoes until it is killed
python -m tests.edgesim.serve.echo ask HOST PORT   prints the median round trip in seconds
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.edgesim.command import ROOT, environment

ROUNDS = 200
_COMMAND = (sys.executable, "-m", "tests.edgesim.serve.echo")


def round_trip_s(host: str, there: Sequence[str], here: Sequence[str]) -> float:
    """Return the median round trip to ``host``, given what commands there and here begin with."""
    options = {"cwd": ROOT, "env": environment(), "text": True}
    serving = subprocess.Popen(
        [*there, *_COMMAND, "serve", host], stdout=subprocess.PIPE, **options
    )
    try:
        assert serving.stdout is not None
        port = serving.stdout.readline().strip()
        asked = [*here, *_COMMAND, "ask", host, port]
        done = subprocess.run(asked, capture_output=True, check=True, **options)
        return float(done.stdout)
    finally:
        serving.kill()
        serving.wait()
        serving.stdout.close()


def _serve(host: str) -> None:
    with socket.create_server((host, 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        connection, _ = listening.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(1):
                connection.sendall(data)


def _ask(host: str, port: int) -> None:
    times = []
    with socket.create_connection((host, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(ROUNDS):
            # As long apart as messages are, so that both ends sleep meanwhile.
            time.sleep(2e-3)
            begun_s = time.perf_counter()
            connection.sendall(b".")
            connection.recv(1)
            times.append(time.perf_counter() - begun_s)
    print(statistics.median(times))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(sys.argv[2])
    else:
        _ask(sys.argv[2], int(sys.argv[3]))
