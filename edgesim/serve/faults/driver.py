"""A program that breaks real nodes and links on order, and puts them right again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgesim.common.errors import EdgesimError
from edgesim.serve.faults.orders import Order

_PATIENCE_S = 30.0
"""For the answer to one order: a node that starts again is not waited for."""
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Done:
    """An order that was carried out.

    Attributes:
        order: what was due, and when.
        given_s: when it was given, on the run's clock.
        done_s: when its answer came.
    """

    order: Order
    given_s: float
    done_s: float


class Driver:
    """Gives the orders of a schedule to a program, one a line, and reads an answer to each.

    The program answers ``ok``, or ``error`` and why, on a line of its own. It ends when its input
    does. Whatever an order broke and no later one put right is put right by :meth:`close`.

    Args:
        command: the program and its arguments.
        orders: in order of time.
    """

    def __init__(self, command: Sequence[str], orders: Sequence[Order]) -> None:
        self.done: list[Done] = []
        self._command = list(command)
        self._orders = tuple(orders)
        self._broken: dict[str, None] = {}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the program.

        Raises:
            EdgesimError: it cannot be started.
        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Ctrl-C is the coordinator's to answer: the program still has to put things right.
                start_new_session=True,
            )
        except OSError as error:
            raise EdgesimError(
                f"--faults-by: cannot start {self._command[0]}: {error.strerror or error}"
            ) from None

    async def play(self, clock: Callable[[], float]) -> None:
        """Give every order when it is due.

        Args:
            clock: seconds since the run began.

        Raises:
            EdgesimError: the program refused one, answered something else, or not in time.
        """
        for order in self._orders:
            await asyncio.sleep(max(0.0, order.at_s - clock()))
            given_s = clock()
            if order.undo:
                self._broken[order.undo] = None
            await self._give(order.text)
            self._broken.pop(order.text, None)
            self.done.append(Done(order, given_s, clock()))

    async def _give(self, text: str) -> None:
        process = self._process
        assert process is not None, "it was started"
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{text}\n".encode())
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S)
        except TimeoutError:
            raise EdgesimError(
                f"--faults-by: no answer to '{text}' within {_PATIENCE_S:g} s"
            ) from None
        except (OSError, ValueError) as error:
            raise EdgesimError(f"--faults-by: '{text}': {error}") from None
        answer = line.decode(errors="replace").strip()[:_LONGEST]
        if not line:
            raise EdgesimError(f"--faults-by: the program ended before it answered '{text}'")
        if answer.startswith("error"):
            raise EdgesimError(f"--faults-by: '{text}': {answer.removeprefix('error').strip()}")
        if answer != "ok":
            raise EdgesimError(
                f"--faults-by: expected 'ok' or 'error ...' in answer to '{text}', got '{answer!r}'"
            )

    async def close(self) -> None:
        """Put right what is still broken, and end the program."""
        process = self._process
        if process is None:
            return
        for text in list(self._broken):
            # One that cannot be put right must not keep the others broken.
            with contextlib.suppress(EdgesimError):
                await self._give(text)
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
