"""The discrete-event simulation of a plan."""

from edgesim.simulate.processes import Process, Simulation
from edgesim.simulate.recording import LinkTotals, NodeTotals, Outcome, Recording, Span
from edgesim.simulate.run import simulate
from edgesim.simulate.traffic import Traffic

__all__ = [
    "LinkTotals",
    "NodeTotals",
    "Outcome",
    "Process",
    "Recording",
    "Simulation",
    "Span",
    "Traffic",
    "simulate",
]
