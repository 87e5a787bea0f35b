"""The study's tables, in Markdown: times, frame rates from which light wins, and joules."""

from __future__ import annotations

import math
from collections import Counter

from accelerators import (
    CRYSTALS,
    END_TO_END,
    LADDER,
    LIGHT,
    MIRRORS,
    PLANE,
    WORKSTATION,
    Accelerator,
)  # fmt: skip
from costs import MODELS, crossbars, gpus, model, per_image_j, per_image_s, precision_of
from crossings import RATES_HZ, best_rate_hz, by_rate, crossing
from what_ifs import PLANES
from written import rate, si, table, times

from edgesim.graph import Graph
from edgesim.hardware import Device, catalog
from edgesim.hardware.optical_4f import Optical4F
from edgesim.report import device_tables

BATCHES = (1, 64, 1024)
SIZES = (64, 128, 224, 448)
"""Image sides of the table of resolutions."""
CARD = "nvidia-rtx-4090"
"""The graphics card of tables that have one."""
_BOTH = (LIGHT, END_TO_END)
_LINKS_BYTE_S = (1e9, 1e18)
"""Bytes a second between which is looked."""


def models() -> str:
    """Return what each model is, with its size."""
    rows = [
        (f"`{name}`", text, f"{model(name).macs / 1e6:,.0f}", f"{model(name).params / 1e6:.2f}")
        for name, text in MODELS.items()
    ]
    return table(("model", "what it is", "MMAC", "parameters, M"), rows)


def beaten(step: Accelerator, name: str, batch: int, rivals: tuple[str, ...]) -> int:
    """Return how many devices an accelerator is faster than, at print's plane and rate."""
    graph = model(name)
    light_s = per_image_s(step.device(), graph, batch)
    rival_s = (per_image_s(catalog.device(one), graph, batch) for one in rivals)
    return sum(light_s < one for one in rival_s)


def score(batches: tuple[int, ...] = (1, 64)) -> str:
    """Return by accelerator and model how many GPUs, and crossbars, are slower."""
    rows = []
    for step in LADDER:
        cells = []
        for name in MODELS:
            found = [str(beaten(step, name, batch, gpus())) for batch in batches]
            cells.append(" / ".join(found))
        tried = [(name, batch) for name in MODELS for batch in batches]
        cells.append(str(sum(beaten(step, *one, crossbars()) for one in tried)))
        rows.append((step.name, *cells))
    against = f"LT-B, LT-L, of {2 * len(MODELS) * len(batches)}"
    return table((f"slower, of {len(gpus())} GPUs", *MODELS, against), rows)


def limit(device: Device, graph: Graph, batch: int) -> str:
    """Return what takes longest, all layers together, and the share of time of such layers."""
    assert isinstance(device, Optical4F)
    spent: Counter[str] = Counter()
    for layer in device.layers(graph, precision_of(device), batch):
        spent[layer.light.bottleneck if layer.light else "electronic operators"] += layer.time_s
    name, longest_s = spent.most_common(1)[0]
    return f"{name}, {100 * longest_s / sum(spent.values()):.0f} %"


def ladder(name: str) -> str:
    """Return the times of an image from print to parts, and what limits them."""
    graph, card = model(name), catalog.device(CARD)
    rows = []
    for step in LADDER:
        device = step.device()
        cells = []
        for batch in BATCHES:
            light_s = per_image_s(device, graph, batch)
            cells += [si(light_s, "s"), times(per_image_s(card, graph, batch) / light_s)]
        rows.append((step.name, *cells, limit(device, graph, BATCHES[1])))
    heads = [head for batch in BATCHES for head in (f"batch {batch:,}", "ratio")]
    return table((f"`{name}`", *heads, f"limit at batch {BATCHES[1]}"), rows)


def winning_rates(batch: int) -> str:
    """Return by device the frame rates from which light wins, alone and end to end."""
    rows = []
    for rival in (*gpus(), *crossbars()):
        cells = []
        for name in MODELS:
            graph = model(name)
            target_s = per_image_s(catalog.device(rival), graph, batch)
            found = [best_rate_hz(one, graph, batch, target_s, PLANES)[0] for one in _BOTH]
            cells.append(" / ".join(rate(rate_hz) for rate_hz in found))
        rows.append((rival, *cells))
    return table((f"batch {batch}", *MODELS), rows)


def plane_rates() -> str:
    """Return by plane the frame rates from which light is faster than the card."""
    rows = []
    for name in MODELS:
        graph = model(name)
        for batch in BATCHES:
            target_s = per_image_s(catalog.device(CARD), graph, batch)
            cells = []
            for plane in PLANES:
                found = [
                    crossing(by_rate(one, graph, batch, plane), target_s, *RATES_HZ)
                    for one in _BOTH
                ]
                cells.append(" / ".join(rate(rate_hz) for rate_hz in found))
            rows.append((name, f"{batch:,}", *cells))
    return table(("model", "batch", *(f"{plane}²" for plane in PLANES)), rows)


def image_rates(batches: tuple[int, ...] = (1, 64)) -> str:
    """Return by image size the times of a ResNet-18 and the frame rates from which light wins."""
    rows = []
    for side in SIZES:
        graph = model("resnet18", image_size=side)
        for batch in batches:
            target_s = per_image_s(catalog.device(CARD), graph, batch)
            found_s = [per_image_s(one.device(), graph, batch) for one in _BOTH]
            found_hz = [best_rate_hz(one, graph, batch, target_s, (PLANE,))[0] for one in _BOTH]
            cells = [si(one, "s") for one in (target_s, *found_s)]
            wins = " / ".join(rate(one) for one in found_hz)
            rows.append((f"{side} x {side}", str(batch), *cells, wins))
    return table(("image", "batch", CARD, "light alone", "end to end", "light wins from"), rows)


def links() -> str:
    """Return by model the link with which the accelerator ties with the card at print's rate."""
    rows = []
    for name in MODELS:
        graph = model(name)
        cells = []
        for batch in BATCHES:
            target_s = per_image_s(catalog.device(CARD), graph, batch)

            def by_link(byte_s: float, graph: Graph = graph, batch: int = batch) -> float:
                mapping = {**END_TO_END.written(), "link": f"{byte_s} B/s"}
                return per_image_s(catalog.from_mapping("linked", mapping), graph, batch)

            found = crossing(by_link, target_s, *_LINKS_BYTE_S)
            most = times(target_s / by_link(_LINKS_BYTE_S[1]))
            cells.append(f"none: {most} at most" if math.isinf(found) else si(found, "B/s"))
        rows.append((name, *cells))
    return table(("model", *(f"batch {batch:,}" for batch in BATCHES)), rows)


def joules(name: str, batch: int = 64) -> str:
    """Return joules of an image by device, and by part where one tells parts apart."""
    graph = model(name)
    rows = []
    accelerators = [step.device() for step in (WORKSTATION, END_TO_END, MIRRORS, CRYSTALS)]
    for device in (*accelerators, *(catalog.device(one) for one in (*crossbars(), *gpus()))):
        parts = per_image_j(device, graph, batch)
        total_j = math.fsum(parts.values())
        shares = sorted(((one / total_j, part) for part, one in parts.items()), reverse=True)
        told = ", ".join(f"{part} {100 * share:.0f} %" for share, part in shares if share >= 0.01)
        rows.append((device.name, si(total_j, "J"), "" if list(parts) == ["all"] else told))
    return table((f"`{name}`, batch {batch}", "an image", "of which"), rows)


def errors() -> str:
    """Return how far the catalog's GPUs are from what is published of them."""
    rows = {row["name"]: row for row in device_tables.every()["devices"]}
    told = []
    for name in gpus():
        error, count = rows[name]["median_error"], rows[name]["published_rows"]
        cells = ("none", "") if error is None else (str(count), f"{100 * error:.1f} %")
        told.append((name, *cells))
    return table(("GPU", "published times", "median error"), told)
