"""Ctrl-C and a request to terminate: they leave no traceback and nothing half-written."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable
from types import FrameType

from edgesim.common.failure import report_error

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], None]


def quit_at_once() -> None:
    """Let an interrupt end the process with a message and status 1, there and then.

    An exception would do the same where code expects one; but one that is raised while a module
    is imported may come out as another, or be printed and forgotten by a callback of the
    interpreter. Nothing is open then that would need closing.
    """
    for number in _SIGNALS:
        _set(number, _quit)
    atexit.register(_ignore)


def _ignore() -> None:
    """Ignore signals at the end of a process whose work is done.

    While it ends, Python gives signals back to the system, which kills for them; not those that are
    ignored.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _quit(number: int, frame: FrameType | None) -> None:
    try:
        report_error("interrupted", 1)
    except (OSError, ValueError, RuntimeError):
        # Nobody reads it, or the interrupted code was itself writing.
        os._exit(1)
    os._exit(1)


class Held:
    """Work that interrupts do not cut: the first is noted, a second one raises.

    Before `begin`, an interrupt does what it did outside.

    Attributes:
        noted: whether an interrupt came.
    """

    def __init__(self) -> None:
        self.noted = False
        self._begun = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Held:
        return self

    def begin(self) -> None:
        """From here on, hold interrupts."""
        if not self._begun:
            self._begun = True
            for number in _SIGNALS:
                before = _set(number, self._caught)
                if before is not None:
                    self._before[number] = before

    def check(self) -> None:
        """Raise KeyboardInterrupt if an interrupt came."""
        if self.noted:
            raise KeyboardInterrupt

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.noted:
            raise KeyboardInterrupt
        self.noted = True


def _set(number: int, handler: _Handler) -> object:
    """Set a handler; None, and none set, where the process ignores the signal."""
    before = signal.getsignal(number)
    if before is signal.SIG_IGN:
        return None
    try:
        signal.signal(number, handler)
    except ValueError:
        # Not in the main thread, where alone Python handles signals.
        return None
    return before
