"""Puts the models of an artifact on nodes: offers the signed manifest and sends missing files."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.progress import Progress, bars
from edgesim.common.tables import console_table
from edgesim.common.text import duration, foreign, size
from edgesim.serve.access import UNTRUSTED, Access, open_channel
from edgesim.serve.coordinator.work import Target
from edgesim.serve.manifest import SignedManifest, read_public_key, sign, verify
from edgesim.serve.protocol import admin_pb2 as wire
from edgesim.serve.queues import to_message
from edgesim.serve.services import ACTIVATE, OFFER, UPLOAD
from partition import InputError as PartitionInputError
from partition import read_manifest, verify_files
from partition.manifest import MANIFEST

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

CHUNK_BYTES = 1 << 18
PATIENCE_S = 30.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0
_WORTH_ANOTHER_TRY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED)
_WRONG_INPUT = ("INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED")
"""Statuses of a node that refuses keys, a manifest or a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Result of one node.

    Attributes:
        node: name in the scenario.
        address: address of its admin service.
        models: names of the models to serve.
        state: ``deployed``, ``kept`` (it served just these already) or ``failed``.
        sent_bytes: bytes that were sent.
        held_bytes: bytes that the node had already.
        load_s: time from disk to memory, all models together.
        warm_up_s: time of the first executions.
        inference_s: time of one sample after that, by model.
        tries: number of attempts.
        error: reason of the failure.
        code: gRPC's status of the failure; None where no call failed.
    """

    node: str
    address: str
    models: tuple[str, ...]
    state: str = "failed"
    sent_bytes: int = 0
    held_bytes: int = 0
    load_s: float = 0.0
    warm_up_s: float = 0.0
    inference_s: dict[str, float] | None = None
    tries: int = 1
    error: str | None = None
    code: str | None = None

    @property
    def wrong_input(self) -> bool:
        """Whether the node or TLS refused the keys, the manifest or the models."""
        return self.code in _WRONG_INPUT or UNTRUSTED in (self.error or "")

    def document(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Package:
    """An artifact, verified and signed, ready to be sent.

    Attributes:
        manifest: signed.
        paths: paths of the files, by model.
    """

    manifest: SignedManifest
    paths: dict[str, Path]

    def model(self, name: str) -> wire.Model:
        """Return the message that offers a model."""
        entry = self.manifest.entry(name)
        return wire.Model(name=name, sha256=entry.sha256, bytes=self.paths[name].stat().st_size)


def pack(folder: Path, keys: Path) -> Package:
    """Return the artifact in ``folder``, every file verified, signed with the admin's key.

    Raises:
        InputError: it is no artifact, was changed, or the keys are not an admin's.
    """
    if not (keys / "manifest.key").is_file():
        raise InputError(f"{keys} holds no manifest.key: deploy with the admin's keys, DIR/admin")
    try:
        verify_files(folder, read_manifest(folder))
    except PartitionInputError as error:
        raise InputError(str(error)) from None
    data = (folder / MANIFEST).read_bytes()
    signature = sign(data, keys / "manifest.key")
    signed = verify(data, signature, read_public_key(keys / "manifest.pub"))
    paths = {name: folder / model.file for name, model in signed.manifest.models.items()}
    return Package(signed, paths)


async def deploy(
    targets: Sequence[Target],
    package: Package,
    access: Access,
    *,
    patience_s: float = PATIENCE_S,
    timeout_s: float = 600.0,
    progress: Progress = lambda node, done, total: None,
    generator: random.Random,
    chunk_bytes: int = CHUNK_BYTES,
) -> list[Row]:
    """Deploy to all nodes at the same time; a node that fails does not delay the others.

    Args:
        targets: nodes and what each shall serve.
        package: from `pack`.
        access: keys of an admin.
        patience_s: time to go on asking a node that does not answer, since it last received
            a byte; each try goes on where the last one broke.
        timeout_s: time limit of one attempt.
        progress: called with the bytes that were sent.
        generator: random generator of the pauses between attempts.
        chunk_bytes: size of one message.
    """
    senders = (
        _Sender(one, package, access, patience_s, timeout_s, progress, generator, chunk_bytes)
        for one in targets
    )
    return list(await asyncio.gather(*(one.send_with_retries() for one in senders)))


@dataclass
class _Sender:
    """Sends the missing files to one node."""

    target: Target
    package: Package
    access: Access
    patience_s: float
    timeout_s: float
    progress: Progress
    generator: random.Random
    chunk_bytes: int
    sent_bytes: int = 0
    held_bytes: int | None = None

    async def send_with_retries(self) -> Row:
        """Send until all is done, or no byte was received within the patience."""
        target = self.target
        row = Row(node=target.node, address=target.admin, models=target.models)
        pause_s = _FIRST_PAUSE_S
        clock = asyncio.get_running_loop().time
        until_s = clock() + self.patience_s
        for attempt in itertools.count(1):
            row, before_bytes = replace(row, tries=attempt), self.sent_bytes
            code = None
            try:
                done = await asyncio.wait_for(self.send(row), self.timeout_s)
                return replace(done, sent_bytes=self.sent_bytes)
            except grpc.aio.AioRpcError as error:
                reason = error.details() or error.code().name
                code = error.code().name
                again = error.code() in _WORTH_ANOTHER_TRY and UNTRUSTED not in reason
                reason = foreign(reason)
            except TimeoutError:
                reason, again = f"no answer within {self.timeout_s:g} s", True
            except EdgesimError as error:
                reason, again = str(error), False
            row = replace(row, error=reason, code=code, sent_bytes=self.sent_bytes)
            if self.sent_bytes > before_bytes:
                until_s, pause_s = clock() + self.patience_s, _FIRST_PAUSE_S
            if not again or clock() >= until_s:
                break
            # Half of the pause is random: nodes that failed together are asked at different times.
            await asyncio.sleep(pause_s * self.generator.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return row

    async def send(self, row: Row) -> Row:
        package, metadata = self.package, self.access.metadata()
        models = [package.model(name) for name in self.target.models]
        queue = None if self.target.queue is None else to_message(self.target.queue)
        total = sum(model.bytes for model in models)
        self.progress(self.target.node, (self.held_bytes or 0) + self.sent_bytes, total)
        async with open_channel(self.target.admin, self.access) as channel:
            offer = wire.OfferRequest(
                manifest=package.manifest.data,
                signature=package.manifest.signature,
                models=models,
                queue=queue,
            )
            reply: wire.OfferReply = _valid(await OFFER.on(channel)(offer, metadata=metadata))
            have = {file.sha256: file for file in reply.files}
            if any(model.sha256 not in have for model in models):
                raise EdgesimError("the node's reply to the offer lacks a file that was offered")
            if self.held_bytes is None:
                self.held_bytes = sum(file.have_bytes for file in have.values())
            row = replace(row, held_bytes=self.held_bytes)
            self.progress(self.target.node, self.held_bytes + self.sent_bytes, total)
            if reply.active:
                return replace(row, state="kept", error=None, code=None)
            for model in models:
                if not have[model.sha256].whole:
                    pieces = self._pieces(model, have[model.sha256].have_bytes, total)
                    _valid(await UPLOAD.on(channel)(pieces, metadata=metadata))
            activate = wire.ActivateRequest(
                manifest_sha256=reply.manifest_sha256, models=self.target.models, queue=queue
            )
            done: wire.ActivateReply = _valid(
                await ACTIVATE.on(channel)(activate, metadata=metadata)
            )
            times = [
                time_s
                for one in done.models
                for time_s in (one.load_s, one.warm_up_s, one.inference_s)
            ]
            if {one.name for one in done.models} != set(self.target.models) or not all(
                0.0 <= time_s < math.inf for time_s in times
            ):
                raise EdgesimError("the node's reply names other models, or times out of range")
        return replace(
            row,
            state="deployed",
            error=None,
            code=None,
            load_s=sum(one.load_s for one in done.models),
            warm_up_s=sum(one.warm_up_s for one in done.models),
            inference_s={one.name: one.inference_s for one in done.models},
        )

    async def _pieces(
        self, model: wire.Model, offset: int, total: int
    ) -> AsyncIterator[wire.UploadRequest]:
        if offset > model.bytes:
            offset = 0
        header = wire.UploadHeader(sha256=model.sha256, bytes=model.bytes, offset=offset)
        yield wire.UploadRequest(header=header)
        with open(self.package.paths[model.name], "rb") as file:
            file.seek(offset)
            while chunk := file.read(self.chunk_bytes):
                yield wire.UploadRequest(chunk=chunk)
                self.sent_bytes += len(chunk)
                held = self.held_bytes or 0
                self.progress(self.target.node, held + self.sent_bytes, total)


def _valid(reply: Any) -> Any:
    """Return a reply.

    Raises:
        EdgesimError: it is no message of the protocol.
    """
    if reply is None:
        raise EdgesimError("the node's reply is not a message of the protocol")
    return reply


class Bars:
    """One bar a node on stderr, in a terminal only."""

    def __init__(self) -> None:
        from rich.progress import DownloadColumn

        self._bars = bars(DownloadColumn(binary_units=True))
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def __call__(self, node: str, done: int, total: int) -> None:
        """Show that a node has ``done`` of ``total`` bytes."""
        if node not in self._tasks:
            self._tasks[node] = self._bars.add_task(node, total=total)
        self._bars.update(self._tasks[node], completed=done, total=total)


def show(rows: Sequence[Row], simulated: Sequence[str], console: Console) -> None:
    """Print the result of every node."""
    from rich.markup import escape

    figures = ("sent", "held", "load", "warm-up", "one sample")
    table = console_table("node", "models", *figures, "state", left=(0, 1, 7))
    for row in rows:
        done = row.state == "deployed"
        slowest = max((row.inference_s or {}).values(), default=None)
        table.add_row(
            escape(row.node),
            escape(", ".join(row.models)),
            size(row.sent_bytes),
            size(row.held_bytes),
            duration(row.load_s if done else None),
            duration(row.warm_up_s if done else None),
            duration(slowest),
            row.state,
        )
    console.print(table)
    for row in rows:
        if row.error is not None:
            console.print(
                f"{escape(row.node)} ({row.address}): {escape(row.error)}", soft_wrap=True
            )
    if simulated:
        names = ", ".join(simulated)
        console.print(f"Not deployed to nodes without an address: {escape(names)}", soft_wrap=True)
