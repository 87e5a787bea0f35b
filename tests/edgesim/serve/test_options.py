"""What a node is told: addresses, and that it does not speak in the clear by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.options import processors
from edgesim.serve.access import Access, open_channel
from edgesim.serve.addresses import is_loopback, join_address, split_address
from edgesim.serve.machine import pin
from edgesim.serve.options import NodeOptions, admin_address
from tests.edgesim.command import assert_fails, edgesim


def options(listen: str, **changes) -> NodeOptions:
    return NodeOptions(listen=listen, store=Path("store"), keys=Path("keys"), **changes)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "localhost", "[::1]"])
def test_without_tls_this_machine_is_fine(host: str) -> None:
    options(f"{host}:50051", plain=True, metrics=f"{host}:9100")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "[::]", "192.0.2.7", "pi-0.local", "localhost.example", "127.0.0.1.nip.io"]
)
def test_without_tls_other_machines_must_be_asked_for_in_plain_words(host: str) -> None:
    local = {"admin": "127.0.0.1:20051"}
    with pytest.raises(InputError, match=r"would be without TLS.*--insecure-listen-anywhere"):
        options(f"{host}:50051", plain=True, **local)
    options(f"{host}:50051", plain=True, insecure_listen_anywhere=True, **local)
    options(f"{host}:50051")
    with pytest.raises(InputError, match=r"metrics on .* would be without TLS"):
        options("127.0.0.1:50051", metrics=f"{host}:9100")
    # The token is never shown to others, whatever one says.
    with pytest.raises(InputError, match="would show its token to others"):
        options(f"{host}:50051", plain=True, insecure_listen_anywhere=True)


def test_addresses() -> None:
    assert split_address("pi-0.local:50051") == ("pi-0.local", 50051)
    assert split_address("[::1]:0") == ("::1", 0)
    assert join_address("::1", 7) == "[::1]:7"
    assert admin_address("127.0.0.1:0") == "127.0.0.1:0"
    assert not is_loopback("::ffff:192.0.2.7")
    for text in ("", "host", ":1", "host:", "host:x", "host:65536", "host:-1", "host:1.5", "h:٣"):
        with pytest.raises(InputError, match="expected HOST:PORT"):
            split_address(text)


@pytest.mark.parametrize(
    ("port", "admin"), [(1, 1001), (8001, 9001), (31_767, 32_767), (31_768, 1768), (50_051, 20_051)]
)
def test_the_port_of_the_admin_is_none_of_outgoing_connections(port: int, admin: int) -> None:
    assert admin_address(f"[::1]:{port}") == f"[::1]:{admin}"


@pytest.mark.parametrize("port", [62_768, 65_535])
def test_where_no_such_port_is_left_one_must_be_named(port: int) -> None:
    with pytest.raises(InputError, match=r"by outgoing connections; name one with --admin"):
        admin_address(f"127.0.0.1:{port}")


def test_a_client_does_not_speak_in_the_clear_to_other_machines() -> None:
    access = Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token="x")
    with pytest.raises(
        InputError, match="is another machine: without TLS no connection to it is made"
    ):
        open_channel("192.0.2.7:50051", access)


def test_lists_of_processors() -> None:
    assert processors("0-2,5") == {0, 1, 2, 5}
    for text in ("", "x", "1-", "-1", "1,,2", "0-99999999999", "٣"):
        with pytest.raises(ValueError, match="expected processors such as"):
            processors(text)
    with pytest.raises(EdgesimError, match=r"cannot use the processors \[4095\]"):
        pin(frozenset({4095}))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--listen", "0.0.0.0:1", "--plain"], ["would be without TLS"]),
        (["--listen", "here"], ["expected HOST:PORT"]),
        (["--listen", "127.0.0.1:1", "--drain", "3 km"], ["invalid value for '--drain': "]),
        (["--listen", "127.0.0.1:1", "--memory=-1"], ["'--memory': expected 0 or more"]),
        (["--listen", "127.0.0.1:1", "--log-level", "all"], ["--log-level: expected one of debug"]),
        (["--listen", "127.0.0.1:0"], ["is no folder of keys; make keys with 'edgesim keys"]),
    ],
)
def test_a_node_that_is_told_wrong_says_so(
    arguments: list[str], parts: list[str], tmp_path: Path
) -> None:
    done = edgesim("node", "--store", "store", "--keys", "none", *arguments, cwd=tmp_path)
    assert_fails(done, 2, parts)
