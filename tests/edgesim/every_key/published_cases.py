"""A case for every key of a published figure, which `edgesim devices FILE` compares with."""

from __future__ import annotations

from tests.edgesim.every_key.cases import Case

_NEW = {
    "model": "vit_small_patch16_224",
    "batch": "2",
    "image_size": "192",
    "classes": "10",
    "latency": "30 ms",
    "energy": "1 J",
    "runtime": "TensorRT",
    "source": "another paper",
    "fit": "false",
    "note": "by eye",
}


def published_cases(kind: str, base: str, precision: str, other: str) -> dict[str, Case]:
    """Return the cases of a kind of device.

    Args:
        kind: of the device.
        base: a scenario with such a device.
        precision: of it.
        other: another precision of it.
    """
    at = "nodes.n.device.published"
    row = (
        f"{{model: vit_tiny_patch16_224, precision: {precision}, latency: 20 ms, source: a paper}}"
    )
    return {
        f"{kind}.published[].{key}": Case(
            base,
            new,
            given=(f"{at}=[{row}]",),
            instead=(f"{at}.0.latency=",) if key == "samples_per_s" else (),
            outcome="device",
        )
        for key, new in {
            **_NEW,
            "precision": other,
            "samples_per_s": "10",
            "clock_ratio": "0.5",
        }.items()
    }
