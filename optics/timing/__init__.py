"""Time, traffic and energy of a layer on a 4f system, from its parts and its layout; no torch."""

from optics.timing.converters import (
    SCALINGS,
    SUPPLY_V,
    Converter,
    Scaling,
    converter_energy_j,
    schreier_energy_j,
    switching_factor,
    walden_energy_j,
)
from optics.timing.energies import Energy, energy
from optics.timing.light import LightBudget
from optics.timing.link import Order, Traffic, traffic
from optics.timing.losses import Loss, LossBudget
from optics.timing.network import NetworkTiming, time_network
from optics.timing.schedule import Timing, dark_s, shortest_hold_s, time_layer

__all__ = [
    "SCALINGS",
    "SUPPLY_V",
    "Converter",
    "Energy",
    "LightBudget",
    "Loss",
    "LossBudget",
    "NetworkTiming",
    "Order",
    "Scaling",
    "Timing",
    "Traffic",
    "converter_energy_j",
    "dark_s",
    "energy",
    "schreier_energy_j",
    "shortest_hold_s",
    "switching_factor",
    "time_layer",
    "time_network",
    "traffic",
    "walden_energy_j",
]
