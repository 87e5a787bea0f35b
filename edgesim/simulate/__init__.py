"""The discrete-event simulation of a plan."""

from edgesim.simulate.engine import simulate
from edgesim.simulate.recording import LinkTotals, NodeTotals, Outcome, Recording, Span
from edgesim.simulate.traffic import Arrivals, Traffic

__all__ = [
    "Arrivals",
    "LinkTotals",
    "NodeTotals",
    "Outcome",
    "Recording",
    "Span",
    "Traffic",
    "simulate",
]
