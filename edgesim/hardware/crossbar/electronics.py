"""Division of a graph between the products of a crossbar and its electronics."""

from __future__ import annotations

from dataclasses import dataclass

from edgesim.common.errors import InputError
from edgesim.graph import Graph, Op, OpKind, once_per_graph


@dataclass(frozen=True, slots=True)
class Division:
    """A graph divided between the crossbar and its electronics.

    Attributes:
        products: names of operators on the crossbar.
        folded: names of batch normalisations that scale weights beforehand and cost nothing.
        rest: all others, as a graph; None where there are none.
        crossing: elements of a sample that pass from products to the rest and back, the model's
            input and output among them: these are the rest's.
    """

    products: frozenset[str]
    folded: frozenset[str]
    rest: Graph | None
    crossing: int


@once_per_graph
def divide(graph: Graph, *, host: bool) -> Division:
    """Divide a graph.

    Args:
        graph: graph of the model.
        host: whether products of no plain shape (transposed or volumetric convolutions, recurrent
            layers) may be left to a host.

    Raises:
        InputError: there is such a product, and no host.
    """
    products, folded, rest = set(), set(), list[Op]()
    for op in graph:
        sources = graph.predecessors(op.name)
        if op.geometry is not None:
            products.add(op.name)
        elif op.macs and not host:
            raise InputError(
                f"layer '{op.name}' is a {op.kind} operator that is no plain matrix product or "
                "two-dimensional convolution (it is transposed, volumetric or recurrent); "
                "`host` names a processor to run such layers"
            )
        elif (
            op.kind is OpKind.BATCHNORM
            and len(sources) == 1
            and sources[0] in products
            and graph[sources[0]].kind.has_weights
        ):
            folded.add(op.name)
        else:
            rest.append(op)
    electronic = {op.name for op in rest}
    edges = [edge for edge in graph.edges if electronic.issuperset(edge)]
    return Division(
        products=frozenset(products),
        folded=frozenset(folded),
        rest=Graph(f"{graph.name}: electronics", rest, edges) if rest else None,
        crossing=_crossing(graph, electronic),
    )


def _crossing(graph: Graph, electronic: set[str]) -> int:
    """Return the elements that pass between products and electronics, each once for each way."""
    elements = 0
    for op in graph:
        here = op.name in electronic
        readers = graph.successors(op.name)
        if any((reader in electronic) is not here for reader in readers):
            elements += op.output_elements
        if not here:
            # What comes in, and what leaves, is the electronics'.
            elements += 0 if readers else op.output_elements
            elements += 0 if graph.predecessors(op.name) else op.input_elements
    return elements
