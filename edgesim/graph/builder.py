"""Grows a graph operator by operator; what the architecture files are written with."""

from __future__ import annotations

from math import prod

from edgesim.common.errors import InputError
from edgesim.graph.graph import Graph
from edgesim.graph.op import ConvGeometry, MatmulGeometry, Op, OpKind

Size = tuple[int, int]


class Builder:
    """Collects operators and edges.

    Every method adds one operator that reads ``inputs`` (names of operators; none for the model's
    input) and returns its name. Sizes are of one sample.

    Args:
        name: name of the graph.
        input_shape: (channels, height, width).
    """

    def __init__(self, name: str, input_shape: tuple[int, ...]) -> None:
        self.name = name
        self.input_shape = input_shape
        self._ops: list[Op] = []
        self._edges: list[tuple[str, str]] = []
        self._output_elements: dict[str, int] = {}

    @property
    def channels(self) -> int:
        """Channels of the model's input."""
        return self.input_shape[0]

    @property
    def in_size(self) -> Size:
        """Height and width of the model's input, in pixels."""
        _, height, width = self.input_shape
        return height, width

    def add(self, op: Op, inputs: tuple[str, ...]) -> str:
        """Add an operator made elsewhere."""
        self._ops.append(op)
        self._output_elements[op.name] = op.output_elements
        self._edges.extend((source, op.name) for source in inputs)
        return op.name

    def conv(
        self,
        name: str,
        inputs: tuple[str, ...],
        *,
        channels: tuple[int, int],
        kernel: int,
        in_size: Size,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = False,
        keeps: bool = False,
    ) -> tuple[str, Size]:
        """Add a square convolution; return its name and output size.

        MACs = out pixels x out channels x in channels / groups x kernel². One that ``keeps`` the
        size of its map pads as much as that takes at the end; ``padding`` is at the start.

        Raises:
            InputError: the kernel does not fit.
        """
        in_channels, out_channels = channels
        height, width = ((edge + 2 * padding - kernel) // stride + 1 for edge in in_size)
        if keeps:
            height, width = in_size
        if min(height, width) < 1:
            raise InputError(
                f"model '{self.name}': a {kernel}x{kernel} convolution ({name}) does not fit a map "
                f"of {in_size[0]}x{in_size[1]}; choose a larger image_size"
            )
        weights = out_channels * (in_channels // groups) * kernel * kernel
        depthwise = groups == in_channels and groups > 1
        op = Op(
            name=name,
            kind=OpKind.DEPTHWISE if depthwise else OpKind.CONV,
            macs=height * width * weights,
            params=weights + out_channels * bias,
            input_elements=in_channels * in_size[0] * in_size[1],
            output_elements=out_channels * height * width,
            geometry=ConvGeometry(
                in_channels=in_channels,
                out_channels=out_channels,
                kernel=(kernel, kernel),
                stride=(stride, stride),
                padding=(padding, padding),
                dilation=(1, 1),
                groups=groups,
                in_size=in_size,
                out_size=(height, width),
            ),
        )
        return self.add(op, inputs), (height, width)

    def linear(
        self,
        name: str,
        inputs: tuple[str, ...],
        *,
        rows: int,
        features: tuple[int, int],
        bias: bool = True,
    ) -> str:
        """Add a product of ``rows`` vectors with a weight matrix (in features, out features)."""
        inner, columns = features
        op = Op(
            name=name,
            kind=OpKind.LINEAR,
            macs=rows * inner * columns,
            params=inner * columns + columns * bias,
            input_elements=rows * inner,
            output_elements=rows * columns,
            geometry=MatmulGeometry(rows=rows, inner=inner, columns=columns),
        )
        return self.add(op, inputs)

    def product(
        self, name: str, inputs: tuple[str, ...], *, count: int, shape: tuple[int, int, int]
    ) -> str:
        """Add ``count`` products of two activations: (rows, inner) @ (inner, columns)."""
        rows, inner, columns = shape
        op = Op(
            name=name,
            kind=OpKind.ATTENTION,
            macs=count * rows * inner * columns,
            input_elements=count * (rows * inner + inner * columns),
            output_elements=count * rows * columns,
            geometry=MatmulGeometry(rows=rows, inner=inner, columns=columns, count=count),
        )
        return self.add(op, inputs)

    def pointwise(
        self,
        name: str,
        kind: OpKind,
        inputs: tuple[str, ...],
        *,
        params: int = 0,
        output_elements: int | None = None,
    ) -> str:
        """Add an operator without MACs that reads whole outputs.

        ``output_elements`` is that of the first input unless given.
        """
        elements = [self._output_elements[source] for source in inputs]
        elements = elements or [prod(self.input_shape)]
        op = Op(
            name=name,
            kind=kind,
            params=params,
            input_elements=sum(elements),
            output_elements=elements[0] if output_elements is None else output_elements,
        )
        return self.add(op, inputs)

    def graph(self) -> Graph:
        """Return what was built."""
        return Graph(self.name, self._ops, self._edges, self.input_shape)
