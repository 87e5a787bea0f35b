"""Energy of a conversion by the figures of merit of Walden and of Schreier."""

from __future__ import annotations

import math

from optics.checks import finite, positive

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
