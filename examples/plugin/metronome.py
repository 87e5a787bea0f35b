"""A device kind: every execution takes the same time, whatever it computes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from edgesim.common.quantities import PositiveSeconds, Watts
from edgesim.graph import Graph
from edgesim.hardware import Cost, Device, Power, key, spec


@spec
@dataclass(frozen=True, kw_only=True)
class Metronome(Device):
    """A metronome, in a scenario {kind: metronome, beat: 20 ms, power: 3 W}.

    Attributes:
        beat_s: time of an execution.
        draw_w: power, busy or not.
    """

    kind: Literal["metronome"] = "metronome"
    beat_s: PositiveSeconds
    draw_w: Annotated[Watts, key("power")] = 0.0

    @property
    def power(self) -> Power:
        """The same in all states."""
        return Power(idle_w=self.draw_w, busy_w=self.draw_w)

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that it computes in."""
        return ("fp32",)

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return time and mean power of running a graph on some samples at once."""
        return Cost(time_s=self.beat_s, power_w=self.draw_w)

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return time and mean power of work of unknown kind."""
        return Cost(time_s=self.beat_s, power_w=self.draw_w)
