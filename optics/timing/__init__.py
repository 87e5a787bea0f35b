"""Time, traffic and energy of a layer on a 4f system, from its parts and its layout; no torch."""

from optics.timing.energies import Energy, energy
from optics.timing.light import LightBudget
from optics.timing.link import Order, Traffic, traffic
from optics.timing.network import NetworkTiming, time_network
from optics.timing.schedule import Timing, dark_s, shortest_hold_s, time_layer

__all__ = [
    "Energy",
    "LightBudget",
    "NetworkTiming",
    "Order",
    "Timing",
    "Traffic",
    "dark_s",
    "energy",
    "shortest_hold_s",
    "time_layer",
    "time_network",
    "traffic",
]
