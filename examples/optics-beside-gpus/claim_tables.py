"""The tables of the published 3.04, in Markdown."""

from __future__ import annotations

from statistics import median

import numpy as np
from accelerators import END_TO_END, LADDER, LIGHT, PLANE, PRINTED, Accelerator
from claim import CLAIMED, VARIANTS, at_printed_rate, rate_for_claim_hz
from costs import MODELS, gpus
from crossings import RATES_HZ
from tables import BATCHES
from what_ifs import BATCHES as MANY
from what_ifs import PLANES, fill
from written import rate, table, times


def cards() -> tuple[str, ...]:
    """Return the graphics cards."""
    return tuple(name for name in gpus() if name.startswith("nvidia-"))


def at_print(accelerator: Accelerator, precision: str) -> str:
    """Return the cards' ratios at print's plane and rate, and the batches that reach 3.04."""
    found = [at_printed_rate(accelerator, name, cards(), precision) for name in VARIANTS.values()]
    rows = []
    for lines in zip(*found, strict=True):
        cells = []
        for line in lines:
            cells += [times(line.ratios[batch]) for batch in BATCHES]
            cells.append(_span(line.reached))
        rows.append((lines[0].card, *cells))
    heads = []
    for variant in VARIANTS:
        heads += [f"{variant}, batch {batch:,}" for batch in BATCHES] + ["3.04 and more at"]
    return table((f"{accelerator.name}, cards in {precision}", *heads), rows)


def _span(reached: tuple[int, ...]) -> str:
    """Return the least and the most of batches."""
    if not reached:
        return "none"
    return f"{reached[0]:,}" if len(reached) == 1 else f"{reached[0]:,} to {reached[-1]:,}"


def rates(batches: tuple[int, ...] = (1, 64)) -> str:
    """Return by card the frame rate at which the ratio is 3.04."""
    rows = []
    for card in cards():
        cells = []
        for name in VARIANTS.values():
            for batch in batches:
                found = [
                    rate_for_claim_hz(system, card, name, batch, plane)[0]
                    for system, plane in ((PRINTED, PLANE), (LIGHT, PLANE), (END_TO_END, None))
                ]
                cells.append(" / ".join(rate(rate_hz) for rate_hz in found))
        rows.append((card, *cells))
    heads = [f"{variant}, batch {batch}" for variant in VARIANTS for batch in batches]
    return table(("card", *heads), rows)


def ranges() -> str:
    """Return the least and the greatest ratio over all cards and batches, by accelerator."""
    rows = []
    for system in LADDER:
        cells = []
        for name in VARIANTS.values():
            lines = at_printed_rate(system, name, cards(), "fp16")
            every = [
                (one, line.card, batch) for line in lines for batch, one in line.ratios.items()
            ]
            most, card, batch = max(every)
            cells += [
                f"{times(most)} ({card.removeprefix('nvidia-')}, batch {batch:,})",
                times(median(one for one, _, _ in every)),
                times(min(every)[0]),
                f"{sum(one >= CLAIMED for one, _, _ in every)} of {len(every)}",
            ]
        rows.append((system.name, *cells))
    heads = [
        f"{variant}: {what}"
        for variant in VARIANTS
        for what in ("most", "median", "least", f"{CLAIMED} and more")
    ]
    return table(("accelerator", *heads), rows)


def most() -> str:
    """Return the greatest ratio that end to end has on any plane, at any batch, at 10 GHz."""
    rows = []
    chosen = [gpus().index(card) for card in cards()]
    for name in MODELS:
        grid = fill(name, systems=(END_TO_END,), rates_hz=(RATES_HZ[1],))
        card_s = np.where(np.isfinite(grid.gpu_s), grid.gpu_s, 0.0)[chosen]
        ratios = card_s[:, None, :] / grid.light_s[0, :, 0]
        card, plane, batch = np.unravel_index(ratios.argmax(), ratios.shape)
        where = (cards()[card], f"{PLANES[plane]}²", f"{MANY[batch]:,}")
        rows.append((name, times(float(ratios.max())), *where))
    return table(("model", "ratio", "card", "plane", "batch"), rows)
