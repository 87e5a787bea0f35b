"""What a profile is to measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Of one profile.

    Attributes:
        out: file to write.
        artifact: whose parts are timed; None for none.
        models: Vision Transformers that are timed, by name.
        device: ``cpu`` or ``cuda``.
        threads: of torch.
        cpus: that the node stays on; None for all.
        precision: of the operators; parts are fp32.
        batches: samples at once.
        quick: fewer operators and runs.
        plain: messages without TLS.
        power: idle and busy draw in watts, told by hand; None to read meters.
    """

    out: Path
    artifact: Path | None = None
    models: tuple[str, ...] = ()
    device: str = "cpu"
    threads: int = 1
    cpus: frozenset[int] | None = None
    precision: str = "fp32"
    batches: tuple[int, ...] = (1,)
    quick: bool = False
    plain: bool = False
    power: tuple[float, float] | None = None
