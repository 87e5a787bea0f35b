"""Networks that tests make: apart from this machine's, as slow as they say, and gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edgesim.command import ROOT, environment
from tests.edgesim.serve import namespaces
from tests.edgesim.serve.namespaces import Rate, lacking, star

pytestmark = pytest.mark.skipif(lacking() is not None, reason=str(lacking()))

RATE = Rate(byte_s=4e6, burst_bytes=8192)
RECEIVE = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 9))
print("listening", flush=True)
client, _ = server.accept()
got = 0
while data := client.recv(1 << 16):
    got += len(data)
print(got, time.monotonic())
"""
SEND = """
import socket, sys, time
print(time.monotonic())
socket.create_connection((sys.argv[1], 9)).sendall(bytes(int(sys.argv[2])))
"""
LINGER = """
import subprocess
from tests.edgesim.serve.namespaces import Rate, star
with star(["a"], Rate(1e6)) as net:
    command = [*net.inside("a"), "sh", "-c", "echo $$; exec sleep 600"]
    lasting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    print(lasting.stdout.readline().strip(), net.inside("a")[-1], flush=True)
    lasting.wait()
"""


def mine() -> list[str]:
    """Return the namespaces that are this process's."""
    return [name for name in namespaces.everyones() if namespaces.is_of(name, "self")]


def runs(pid: int) -> bool:
    """Return whether a process runs; one that has ended and that nobody asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_bytes_cross_at_the_rate_of_the_link_and_nowhere_else() -> None:
    size = 2 << 20
    with star(["a", "b"], RATE) as net:
        python = (sys.executable, "-c")
        receiver = subprocess.Popen(
            [*net.inside("b"), *python, RECEIVE, net.addresses["b"]],
            text=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert receiver.stdout is not None
        with receiver.stdout:
            assert receiver.stdout.readline() == "listening\n"
            command = [*net.inside("a"), *python, SEND, net.addresses["b"], str(size)]
            begun_s = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            got, ended_s = receiver.stdout.readline().split()
            receiver.wait()
        assert int(got) == size
        # Two ends each let a burst through at once.
        least_s = (size - 2 * RATE.burst_bytes) / RATE.byte_s
        assert float(ended_s) - float(begun_s) >= least_s
        sent, received = net.carried("a")[0], net.carried("b")[1]
        # TCP and IP add 66 of 1,514 bytes on the wire.
        assert size < sent < 1.1 * size
        assert size < received < 1.1 * size
        # Nothing of it is where this process is.
        names = {line.split(":")[1].strip() for line in links()}
        assert not {name for name in names if name.startswith(("port", "br0"))}


def links() -> list[str]:
    told = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return told.splitlines()


@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt])
def test_nothing_is_left_when_a_test_fails_or_is_interrupted(error: type[BaseException]) -> None:
    lasting = []

    def fails() -> None:
        with star(["a"], RATE) as net:
            command = [*net.inside("a"), "sh", "-c", "echo inside; exec sleep 600"]
            lasting.append(subprocess.Popen(command, text=True, stdout=subprocess.PIPE))
            assert lasting[0].stdout.readline() == "inside\n"
            assert len(mine()) == 2
            raise error

    with pytest.raises(error):
        fails()
    assert mine() == []
    with lasting[0]:
        assert lasting[0].wait(10) == -signal.SIGKILL


def test_what_a_killed_run_left_is_removed_and_what_others_use_is_not() -> None:
    with star(["a"], RATE):
        held = mine()
        killed = subprocess.Popen(
            [sys.executable, "-c", LINGER], cwd=ROOT, env=environment(), text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert killed.stdout is not None
        with killed.stdout:
            pid, name = killed.stdout.readline().split()
            assert name not in namespaces.remove_stale()
            assert runs(int(pid))
            killed.kill()
            killed.wait()
        assert name in namespaces.everyones()
        assert name in namespaces.remove_stale()
        assert name not in namespaces.everyones()
        assert not runs(int(pid))
        assert mine() == held
