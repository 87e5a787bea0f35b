"""The network side of a node: when it sends and when it receives."""

from __future__ import annotations


class Port:
    """Counts the flows that leave and enter a node, and integrates the time with at least one."""

    __slots__ = ("receiving", "receiving_s", "sending", "sending_s", "since_r", "since_s")

    def __init__(self) -> None:
        self.sending = 0
        self.receiving = 0
        self.since_s = 0.0
        self.since_r = 0.0
        self.sending_s = 0.0
        self.receiving_s = 0.0

    def start_sending(self, now: float) -> None:
        """Count one more flow that leaves."""
        if not self.sending:
            self.since_s = now
        self.sending += 1

    def stop_sending(self, now: float) -> None:
        """Count one flow less that leaves."""
        self.sending -= 1
        if not self.sending:
            self.sending_s += now - self.since_s

    def start_receiving(self, now: float) -> None:
        """Count one more flow that enters."""
        if not self.receiving:
            self.since_r = now
        self.receiving += 1

    def stop_receiving(self, now: float) -> None:
        """Count one flow less that enters."""
        self.receiving -= 1
        if not self.receiving:
            self.receiving_s += now - self.since_r

    def close(self, now: float) -> None:
        """Add what is still under way at the end of the run."""
        if self.sending:
            self.sending_s += now - self.since_s
            self.since_s = now
        if self.receiving:
            self.receiving_s += now - self.since_r
            self.since_r = now
