"""What a node is told when it starts, checked before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgesim.common.errors import InputError
from edgesim.hardware import Device
from edgesim.serve.addresses import is_loopback, join_address, split_address

ADMIN_PORT_OFFSET = 1000
"""From the port of inference to that of the admin service, where none is named."""
MAX_MESSAGE_BYTES = 16 << 20
MAX_SAMPLES = 1024
PRECISION = "fp32"
"""Of the parts in an artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of one node.

    Attributes:
        listen: HOST:PORT of inference; port 0 is any free one.
        store: folder of the node's files.
        keys: folder with the node's keys.
        name: in logs.
        admin: HOST:PORT of the admin service; None for the same host, the port 1000 higher.
        metrics: HOST:PORT of Prometheus metrics, without TLS; None for none.
        plain: no TLS, and the admin's token in place of its certificate.
        any_client: with TLS, answer inferences of clients without a certificate too.
        insecure_listen_anywhere: listen beyond this machine without TLS.
        threads: of torch within an operator.
        cpus: processors to stay on; None for all.
        batch_max: requests that one execution takes together.
        batch_wait_s: how long an idle node waits for a fuller batch.
        queue: requests that may wait.
        max_message_bytes: of one message of inference.
        max_samples: of one request.
        memory_bytes: that weights may take; None for what the machine has.
        drain_s: that a node which is told to end still takes to answer what it has.
        emulate: the device whose modelled times its answers take; None for this machine's own.
    """

    listen: str
    store: Path
    keys: Path
    name: str = "node"
    admin: str | None = None
    metrics: str | None = None
    plain: bool = False
    any_client: bool = False
    insecure_listen_anywhere: bool = False
    threads: int = 1
    cpus: frozenset[int] | None = None
    batch_max: int = 1
    batch_wait_s: float = 0.0
    queue: int = 64
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_samples: int = MAX_SAMPLES
    memory_bytes: int | None = None
    drain_s: float = 30.0
    emulate: Device | None = None

    def __post_init__(self) -> None:
        """Refuse to speak in the clear to other machines, unless that was asked for.

        Raises:
            InputError: an address is none, or reaches beyond this machine without TLS; or the
                device to emulate does not compute in what parts are.
        """
        if self.emulate is not None and PRECISION not in self.emulate.precisions():
            raise InputError(
                f"parts are {PRECISION}, and '{self.emulate.name}' computes in "
                f"{', '.join(self.emulate.precisions())}; emulate another device"
            )
        for what, address, bare in (
            ("inference", self.listen, self.plain),
            ("metrics", self.metrics, True),
        ):
            if address is None:
                continue
            host, _ = split_address(address)
            if bare and not is_loopback(host) and not self.insecure_listen_anywhere:
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

    @property
    def admin_address(self) -> str:
        """HOST:PORT of the admin service."""
        return self.admin or admin_address(self.listen)


def admin_address(address: str) -> str:
    """Return where the admin service of a node is, where the node was told nothing else.

    Raises:
        InputError: ``address`` is none, or leaves no room for another port.
    """
    host, port = split_address(address)
    if port and port + ADMIN_PORT_OFFSET > 65535:
        raise InputError(f"{address} has no port {ADMIN_PORT_OFFSET} higher: name one with --admin")
    return join_address(host, port and port + ADMIN_PORT_OFFSET)
