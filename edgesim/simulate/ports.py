"""The network side of a node: when it sends and when it receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Port:
    """Counts the flows that leave and enter a node, and integrates the time with at least one.

    Attributes:
        sending: flows that leave now.
        receiving: flows that enter now.
        since_s: when it began to send.
        since_r: when it began to receive, seconds.
        sending_s: with at least one flow that leaves.
        receiving_s: with at least one flow that enters.
        changed: called when it begins or ends to send or receive.
    """

    sending: int = 0
    receiving: int = 0
    since_s: float = 0.0
    since_r: float = 0.0
    sending_s: float = 0.0
    receiving_s: float = 0.0
    changed: Callable[[], None] | None = None

    def start_sending(self, now: float) -> None:
        """Count one more flow that leaves."""
        self.sending += 1
        if self.sending == 1:
            self.since_s = now
            if self.changed is not None:
                self.changed()

    def stop_sending(self, now: float) -> None:
        """Count one flow less that leaves."""
        self.sending -= 1
        if not self.sending:
            self.sending_s += now - self.since_s
            if self.changed is not None:
                self.changed()

    def start_receiving(self, now: float) -> None:
        """Count one more flow that enters."""
        self.receiving += 1
        if self.receiving == 1:
            self.since_r = now
            if self.changed is not None:
                self.changed()

    def stop_receiving(self, now: float) -> None:
        """Count one flow less that enters."""
        self.receiving -= 1
        if not self.receiving:
            self.receiving_s += now - self.since_r
            if self.changed is not None:
                self.changed()

    def close(self, now: float) -> None:
        """Add what is still under way at the end of the run."""
        if self.sending:
            self.sending_s += now - self.since_s
            self.since_s = now
        if self.receiving:
            self.receiving_s += now - self.since_r
            self.since_r = now
