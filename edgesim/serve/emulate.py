"""Models that take as long as on a modelled device, to rehearse a cluster on one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from edgesim.artifact import part_graph
from edgesim.graph import Graph
from edgesim.graph.mlp import mlp
from edgesim.hardware import Device
from edgesim.serve.manifest import Entry
from edgesim.serve.models import Model
from edgesim.serve.options import PRECISION
from partition.manifest import PartEntry


class Emulated:
    """A model whose answers are its own and whose times are a device's.

    It computes, and then rests until the device would have ended. Where this machine is slower,
    the answer is late, and counted as such. What a message costs the device's processor is not
    added: messages take what they take here.
    """

    def __init__(
        self, model: Model, graph: Graph, device: Device, late: Callable[[], object]
    ) -> None:
        """Dress a model up.

        Args:
            model: that computes.
            graph: its operators, for the device's model.
            device: whose times it takes.
            late: called for every execution that took longer here.
        """
        self.name = model.name
        self.sha256 = model.sha256
        self.inputs = model.inputs
        self.outputs = model.outputs
        self._model = model
        self._graph = graph
        self._device = device
        self._late = late

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Return what the model does, not before the device would."""
        begun_s = time.monotonic()
        found = self._model.run(inputs, outputs)
        samples = len(next(iter(inputs.values())))
        wanted_s = self._device.graph_cost(self._graph, PRECISION, samples).time_s
        left_s = begun_s + wanted_s - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        else:
            self._late()
        return found


def graph_of(entry: Entry) -> Graph:
    """Return the operators of a part, or of the fusion."""
    if isinstance(entry.model, PartEntry):
        return part_graph(entry.name, entry.model.config)
    return mlp(entry.name, entry.model.widths)
