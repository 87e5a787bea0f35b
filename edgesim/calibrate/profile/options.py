"""Options of ``edgesim profile``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgesim.common.options import flag, option, processors


def _batches(text: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split(",")]
    if not all(one.isascii() and one.isdigit() and 0 < int(one) <= 1024 for one in pieces):
        raise ValueError(f"expected numbers from 1 to 1024 such as 1,2,4, got {text!r}")
    return tuple(dict.fromkeys(map(int, pieces)))


def parse_power(text: str) -> tuple[float, float]:
    """Return idle and busy watts of ``idle=2.7W,busy=6.4W``.

    Raises:
        ValueError: the text is another, or busy is less than idle.
    """
    from edgesim.common import units

    given: dict[str, float] = {}
    for piece in text.split(","):
        state, _, value = piece.partition("=")
        if state.strip() not in ("idle", "busy") or state.strip() in given:
            raise ValueError(f"expected idle=2.7W,busy=6.4W, got {text!r}")
        given[state.strip()] = units.parse(value, "power")
    if set(given) != {"idle", "busy"}:
        raise ValueError(f"expected idle=2.7W,busy=6.4W, got {text!r}")
    if not 0.0 <= given["idle"] <= given["busy"]:
        raise ValueError(f"expected busy of at least idle, got {text!r}")
    return given["idle"], given["busy"]


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """What a profile measures, and where it is written."""

    out: Path = option("FILE.yaml", "Device file to write.", names=["--out", "-o"])
    artifact: Path | None = option(
        "DIR", "Also time the parts and the fusion of this artifact.", None
    )
    models: list[str] | None = option(
        "NAME",
        "Also time this Vision Transformer, unsplit; repeatable.",
        None,
        names=["--model"],
    )
    device: str = option("cpu|cuda", "Processor or GPU to measure.", "cpu")
    threads: int = option("N", "Threads that torch uses for one operator.", 1, min=1)
    cpus: frozenset[int] | None = option(
        "LIST",
        "Processors that the measured node runs on, such as 0-2,5.",
        None,
        parser=processors,
        show_default="all",
    )
    precision: str = option("fp32|fp16|bf16", "Number format of the timed operators.", "fp32")
    batches: tuple[int, ...] = option(
        "LIST",
        "Batch sizes at which models are timed, such as 1,2,4.",
        (1,),
        names=["--batch"],
        parser=_batches,
        show_default="1",
    )
    power: tuple[float, float] | None = option(
        "idle=W,busy=W",
        "Power when idle and when busy, where the system has no meter.",
        None,
        parser=parse_power,
        show_default="read from a meter",
    )
    quick: bool = flag("Measure less, in half a minute.")
    plain: bool = flag("Time messages without TLS.")
