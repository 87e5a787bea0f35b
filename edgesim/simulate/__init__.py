"""The discrete-event simulation of a plan."""

from edgesim.simulate.recording import LinkTotals, NodeTotals, Outcome, Recording, Span
from edgesim.simulate.run import simulate
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
