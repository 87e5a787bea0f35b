"""Energy of a conversion by the figures of merit of Walden and of Schreier, and at a node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from optics.checks import finite, positive
from optics.errors import InputError

SINE_DB = 10 * math.log10(1.5)
"""Signal-to-quantisation-noise ratio of a full-scale sine at 0 bits: 1.76 dB."""

BIT_DB = 20 * math.log10(2)
"""Signal-to-noise ratio that a bit adds: 6.02 dB."""


def walden_energy_j(effective_bits: float, joules_per_step: float) -> float:
    """Return the joules of a conversion, F_W 2^ENOB.

    F_W is power over (2^ENOB x rate): energy doubles with each bit, as where the circuit's speed
    sets it. Source: R. H. Walden, IEEE J. Sel. Areas Commun. 17:539 (1999).

    Args:
        effective_bits: ENOB.
        joules_per_step: F_W, in joules per conversion step.

    Raises:
        InputError: a figure is out of its range.
    """
    positive("converter", "effective_bits", effective_bits)
    positive("converter", "joules_per_step", joules_per_step)
    return joules_per_step * float(2**effective_bits)


def schreier_energy_j(effective_bits: float, merit_db: float) -> float:
    """Return the joules of a conversion, 10^((SNDR - F_S)/10) / 2, SNDR = 6.02 ENOB + 1.76 dB.

    F_S is SNDR + 10 log₁₀(bandwidth / power), bandwidth half of the rate: energy grows fourfold
    with each bit, as where thermal noise sets it. Source: R. Schreier and G. C. Temes,
    Understanding Delta-Sigma Data Converters (2005).

    Args:
        effective_bits: ENOB.
        merit_db: F_S, in dB.

    Raises:
        InputError: a figure is out of its range.
    """
    positive("converter", "effective_bits", effective_bits)
    finite("converter", "merit_db", merit_db)
    sndr_db = BIT_DB * effective_bits + SINE_DB
    return 0.5 * float(10 ** ((sndr_db - merit_db) / 10))


def converter_energy_j(effective_bits: float, *, joules_per_step: float, merit_db: float) -> float:
    """Return the joules of a conversion, the larger of both figures' energies.

    A converter of few bits is limited by its steps, one of many by thermal noise.

    Args:
        effective_bits: ENOB.
        joules_per_step: Walden's figure, in joules per conversion step.
        merit_db: Schreier's figure, in dB.

    Raises:
        InputError: a figure is out of its range.
    """
    by_steps_j = walden_energy_j(effective_bits, joules_per_step)
    return max(by_steps_j, schreier_energy_j(effective_bits, merit_db))


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """Figures of merit of a kind of converter in a technology.

    Attributes:
        joules_per_step: Walden's figure at ``node_m``, in joules per conversion step.
        merit_db: Schreier's figure, in dB; thermal noise does not change with the node.
        node_m: technology node of the figure, in metres.
    """

    joules_per_step: float
    merit_db: float
    node_m: float = 7e-9

    def energy_j(self, bits: float, node_m: float | None = None) -> float:
        """Return the joules of a conversion of so many effective bits.

        Args:
            bits: effective bits.
            node_m: technology node; the figure's own unless given.

        Raises:
            InputError: a figure is out of its range, or the node is not one of :data:`SUPPLY_V`.
        """
        step_j = self.joules_per_step
        if node_m is not None:
            step_j *= switching_factor(node_m) / switching_factor(self.node_m)
        return converter_energy_j(bits, joules_per_step=step_j, merit_db=self.merit_db)


SUPPLY_V: Mapping[int, float] = {
    180: 1.8, 130: 1.2, 90: 1.2, 65: 1.1, 45: 1.0, 32: 0.95, 28: 0.9, 22: 0.85, 16: 0.8, 14: 0.8,
    10: 0.75, 7: 0.7, 5: 0.65,
}  # fmt: skip
"""Estimate: usual supply voltage by technology node in nanometres, as foundries state it."""


def switching_factor(node_m: float) -> float:
    """Return node x supply voltage², in nm V², to which energy of switching is proportional.

    Capacitance goes with the feature's size, energy is C V². An estimate: a converter of one node
    is not the shrunk one of another.

    Raises:
        InputError: the node is not one of :data:`SUPPLY_V`.
    """
    positive("converter", "node_m", node_m)
    node = round(node_m * 1e9)
    if node not in SUPPLY_V:
        known = ", ".join(f"{one} nm" for one in sorted(SUPPLY_V))
        raise InputError(f"converter: node must be one of {known}; got {node_m * 1e9:g} nm")
    return node * SUPPLY_V[node] ** 2


Scaling = Literal["conservative", "moderate", "aggressive"]
"""Assumptions about how parts will develop, as Albireo (ISCA 2021) names them."""


def _converters(adc_w: float, dac_w: float, merit_db: float) -> Mapping[str, Converter]:
    """Return both kinds by their power at 5 GHz and 8 bits."""
    return MappingProxyType(
        {
            name: Converter(joules_per_step=watts / 5e9 / 2**8, merit_db=merit_db)
            for name, watts in (("adc", adc_w), ("dac", dac_w))
        }
    )


SCALINGS: Mapping[Scaling, Mapping[str, Converter]] = MappingProxyType(
    {
        "conservative": _converters(1.31 / 45, 26e-3, 160.0),
        "moderate": _converters(0.65 / 45, 13e-3, 170.0),
        "aggressive": _converters(0.13 * 5 / 8 / 45, 1.625e-3, 180.0),
    }
)
"""Converters ``adc`` and ``dac`` at three scalings, 8 bits in 7 nm: Walden's figures are derived
from Albireo (ISCA 2021), table 3 (45 ADCs; DACs of 5.2, 2.6 and 0.325 pJ a conversion). Estimate:
Schreier's figures, within what converters of the last decades reached."""
