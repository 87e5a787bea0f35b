"""A device kind: every execution takes the same time, whatever it computes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from pydantic import BaseModel, ConfigDict

from edgesim.common.quantities import PositiveSeconds, Watts
from edgesim.graph import Graph
from edgesim.hardware import Cost, Messaging, Power


class MetronomeSpec(BaseModel):
    """Its mapping in a scenario: {kind: metronome, beat: 20 ms, power: 3 W}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["metronome"]
    beat: PositiveSeconds
    power: Watts = 0.0


@dataclass(frozen=True, kw_only=True)
class Metronome:
    """The device; what it has to answer is `edgesim.hardware.Device`."""

    name: str
    beat_s: float
    power: Power
    kind: str = "metronome"
    cores: int = 1
    memory_capacity_bytes: float = inf
    messaging: Messaging = field(default_factory=Messaging)
    source: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def spec() -> type[MetronomeSpec]:
        """Return the model of the YAML mapping."""
        return MetronomeSpec

    @classmethod
    def from_spec(cls, name: str, spec: MetronomeSpec) -> "Metronome":
        """Return the device that a mapping describes."""
        power = Power(idle_w=spec.power, busy_w=spec.power)
        return cls(name=name, beat_s=spec.beat, power=power)

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that it computes in."""
        return ("fp32",)

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return time and mean power of running a graph on some samples at once."""
        return Cost(time_s=self.beat_s, power_w=self.power.busy_w)

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return time and mean power of work of unknown kind."""
        return Cost(time_s=self.beat_s, power_w=self.power.busy_w)
