"""The published 3.04: which inputs make it true."""

from __future__ import annotations

from dataclasses import dataclass

from accelerators import PLANE, RATE_HZ, Accelerator
from costs import model, per_image_s, runs_in
from crossings import best_rate_hz, by_rate
from what_ifs import PLANES

from edgesim.hardware import Device, catalog

CLAIMED = 3.04
"""'Up to 3.04 times faster inference than GPU-based systems', in theory: arXiv 2504.11517."""
VARIANTS = {"valid": "convsharevit_72", "same": "convsharevit_same_72"}
"""ConvShareViT with one and the other padding."""
BATCHES = tuple(2**power for power in range(13))


def ratio(
    accelerator: Accelerator,
    card: Device,
    name: str,
    batch: int,
    *,
    precision: str | None = None,
    plane: int = PLANE,
    rate_hz: float = RATE_HZ,
) -> float:
    """Return the card's time over the accelerator's, of a model at one batch."""
    graph = model(name)
    light_s = by_rate(accelerator, graph, batch, plane)(rate_hz)
    return per_image_s(card, graph, batch, precision) / light_s


@dataclass(frozen=True, kw_only=True)
class AtPrintedRate:
    """A card beside the accelerator at print's plane and rate.

    Attributes:
        card: catalog name.
        ratios: by batch.
        reached: batches at which the ratio is at least what is claimed.
    """

    card: str
    ratios: dict[int, float]
    reached: tuple[int, ...]


def at_printed_rate(
    accelerator: Accelerator, name: str, cards: tuple[str, ...], precision: str
) -> list[AtPrintedRate]:
    """Return the ratios of all cards that compute in a precision."""
    rows = []
    for card in cards:
        device = catalog.device(card)
        if not runs_in(device, precision):
            continue
        ratios = {
            batch: ratio(accelerator, device, name, batch, precision=precision) for batch in BATCHES
        }
        reached = tuple(batch for batch, one in ratios.items() if one >= CLAIMED)
        rows.append(AtPrintedRate(card=card, ratios=ratios, reached=reached))
    return rows


def rate_for_claim_hz(
    accelerator: Accelerator, card: str, name: str, batch: int, plane: int | None = PLANE
) -> tuple[float, int]:
    """Return the frame rate at which the ratio is 3.04, and the plane; of the best if None."""
    graph = model(name)
    target_s = per_image_s(catalog.device(card), graph, batch) / CLAIMED
    planes = PLANES if plane is None else (plane,)
    return best_rate_hz(accelerator, graph, batch, target_s, planes)
