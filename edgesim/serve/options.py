"""Options of a node, checked before anything heavy is imported."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim.common.errors import InputError
from edgesim.common.options import flag, option, processors, quantity
from edgesim.serve.addresses import is_loopback, join_address, split_address

if TYPE_CHECKING:
    from edgesim.hardware import Device, Queue

_ABOVE, _BELOW = 1000, 30_000
"""From the port of inference to that of the admin service, where none is named."""
_FIRST_EPHEMERAL_PORT = 32_768
"""From here on Linux takes ports for outgoing connections, of any program."""
DEFAULT_ADMIN = f"the port of inference plus {_ABOVE}, or minus {_BELOW} from 31768 on"
"""What the address of the admin service is where none is named."""
MAX_MESSAGE_BYTES = 14 << 20
"""Size of a message, at most: three channels of 1024 x 1024 pixels in FP32, and 2 MiB more."""
QUEUE_BYTES = 128 << 20
"""Bytes of the requests that wait in a node's queue, at most."""
QUEUE_LIMIT = 64
"""Requests that wait in a node's queue, at most, unless it is told otherwise."""
MAX_SAMPLES = 1024
"""Samples in one request, at most."""
FULL = ("reject", "drop-oldest", "keep-latest")
"""What a full queue may do: the words of `edgesim.hardware.Queue`."""
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class NodeOptions:
    """Options of ``edgesim node``, each described where it stands.

    Raises:
        InputError: an address is wrong, or other machines reach it without TLS; or the emulated
            device does not compute in the precision of parts.
    """

    listen: str = option("HOST:PORT", "Address of the inference service; port 0 is any free port.")
    store: Path = option("DIR", "Folder in which the node keeps its models.")
    keys: Path = option("DIR", "Folder with the node's keys (`edgesim keys`).")
    admin: str | None = option(
        "HOST:PORT",
        "Address of the admin service, which takes models.",
        None,
        show_default=DEFAULT_ADMIN,
    )
    metrics: str | None = option(
        "HOST:PORT", "Address of Prometheus metrics, without TLS.", None, show_default="none"
    )
    name: str = option(
        "NAME",
        "Name of the node in its log.",
        platform.node() or "node",
        show_default="name of the host",
    )
    threads: int = option("N", "Threads that torch uses for one operator.", 1, min=1)
    cpus: frozenset[int] | None = option(
        "LIST",
        "Processors that the node runs on, such as 0-2,5.",
        None,
        parser=processors,
        show_default="all",
    )
    batch: int = option("N", "Requests that one execution computes, at most.", 1, min=1)
    batch_wait_s: float = option(
        "TIME",
        "Time that an idle node waits for more requests of a batch.",
        0.0,
        parser=quantity("time"),
        show_default="0 s",
    )
    queue: int = option(
        "N",
        "Requests that may wait, at most; a deployed scenario may say another number.",
        QUEUE_LIMIT,
        min=1,
    )
    full: str = option(
        "|".join(FULL),
        "Request that leaves a full queue: the one that comes, the one that waited longest, or all "
        "that wait for the same model but the newest, whatever the limit; likewise.",
        "reject",
    )
    memory_bytes: int | None = option(
        "BYTES",
        "Memory for the weights of models, such as 512 MiB.",
        None,
        parser=quantity("bytes"),
        show_default="what the machine has",
    )
    max_message_bytes: int = option(
        "BYTES",
        "Size of the largest request.",
        MAX_MESSAGE_BYTES,
        parser=quantity("bytes"),
        show_default="14 MiB",
    )
    drain_s: float = option(
        "TIME",
        "Time to answer the waiting requests when the node shuts down.",
        30.0,
        parser=quantity("time"),
        show_default="30 s",
    )
    emulate: str | None = option(
        "DEVICE",
        "Device of the catalog, or its file: answers take at least its modelled time.",
        None,
        show_default="none",
    )
    plain: bool = flag(
        "Use no TLS, on this machine only; the admin's token replaces its certificate."
    )
    any_client: bool = flag("Answer clients that have no certificate, too.")
    insecure_listen_anywhere: bool = flag(
        "Answer other machines without TLS: everyone on the network can ask and listen."
    )
    log_level: str = option(
        "|".join(LOG_LEVELS), "Least level that is logged; debug logs each request.", "info"
    )

    def __post_init__(self) -> None:
        """Check addresses, log level, queue and the emulated device."""
        if self.full not in FULL:
            raise InputError(f"--full: expected one of {', '.join(FULL)}, got {self.full!r}")
        if self.log_level not in LOG_LEVELS:
            raise InputError(
                f"--log-level: expected one of {', '.join(LOG_LEVELS)}, got {self.log_level!r}"
            )
        for what, address, no_tls in (
            ("inference", self.listen, self.plain),
            ("metrics", self.metrics, True),
        ):
            if address is None:
                continue
            host, _ = split_address(address)
            if no_tls and not is_loopback(host) and not self.insecure_listen_anywhere:
                raise InputError(
                    f"{what} on {address} would be without TLS, for every machine that reaches it; "
                    "listen on 127.0.0.1, use TLS (leave out --plain), or say "
                    "--insecure-listen-anywhere"
                )
        host, _ = split_address(self.admin_address)
        if self.plain and not is_loopback(host):
            raise InputError(
                f"the admin service on {self.admin_address} without TLS would show its token to "
                "others; name one on this machine with --admin 127.0.0.1:PORT, or use TLS"
            )
        self.emulated_device()

    @property
    def queue_settings(self) -> Queue:
        """The queue that the node begins with; a deployment may bring another."""
        from edgesim.hardware import Queue

        limit = None if self.full == "keep-latest" else self.queue
        return Queue(limit=limit, full=self.full)  # type: ignore[arg-type]

    @property
    def admin_address(self) -> str:
        """HOST:PORT of the admin service."""
        return self.admin or admin_address(self.listen)

    def emulated_device(self) -> Device | None:
        """Return the device whose times the answers take; None for this machine's own.

        Raises:
            InputError: it is unknown, or does not compute in the precision of parts.
        """
        if self.emulate is None:
            return None
        from edgesim.artifact import PRECISION
        from edgesim.scenario.named_files import find_device

        device = find_device(self.emulate)
        if PRECISION not in device.precisions():
            raise InputError(
                f"parts are {PRECISION}, and '{device.name}' computes in "
                f"{', '.join(device.precisions())}; emulate another device"
            )
        return device


def admin_address(address: str) -> str:
    """Return the address of a node's admin service that was not given.

    Args:
        address: HOST:PORT of inference.

    Raises:
        InputError: ``address`` is wrong, or the port would be one of outgoing connections.
    """
    host, port = split_address(address)
    if port == 0:
        return join_address(host, 0)
    found = port + _ABOVE if port + _ABOVE < _FIRST_EPHEMERAL_PORT else port - _BELOW
    if found >= _FIRST_EPHEMERAL_PORT:
        raise InputError(
            f"{address} leaves no port for the admin service: {found} may be taken by outgoing "
            "connections; name one with --admin"
        )
    return join_address(host, found)
