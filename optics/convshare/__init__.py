"""ConvShareViT: a Vision Transformer whose linear layers are convolutions that a 4f system does.

After Ibadulla, Chen and Reyes-Aldasoro, "ConvShareViT" (arXiv 2504.11517, 2025; IEEE Transactions
on Neural Networks and Learning Systems 2026, doi 10.1109/TNNLS.2026.3689450).

In print: linear layers of attention and MLP become depthwise convolutions whose weights all
channels share; channels are tokens, each a map of s x s numbers, d = s². Twelve models are
compared. Those with valid convolutions that share their weights learn attention, with scores
comparable to a ViT's; those with same padding work as a CNN does. CIFAR-100, about 63 % at best.
3.04 times faster than a GPU, in theory; with which images, batch, resolution and GPU was not found.

Our reading: which layers a model may have of each kind (:data:`Mixing`, described in
:mod:`optics.convshare.token_conv`); the class token as a map among maps; queries, keys and values
as three maps or 3 d kernels of one layer, in timm's order; hidden maps of the MLP as input channels
of its second layer, which light adds; maps that are not square, so that any width of a ViT is one;
weights drawn by fan-in. Biases, norms, softmax, both products of attention, GELU, sums of residuals
and the head are electronic: the products would need a new filter for every image.

It follows that kernels as large as the map are the rows of a matrix: :func:`from_vit` and
:func:`to_vit` turn a plain ViT into such kernels and back, to the last bit.

    config = ConvShareConfig(image=28, patch=7, map=(7, 7), depth=3, heads=7)
    model = ConvShareViT(config, torch.Generator().manual_seed(0))
    light = optics.layers.convert(model, bench, road="physical", images=some).model

:func:`shapes` gives every convolution to the tile planner. How well a model attends is scored in
:mod:`optics.convshare.attention_score` and :mod:`optics.convshare.interventions`.

Names are imported when they are first used: the shapes of a model do not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optics.convshare.config import MIXINGS, ConvShareConfig, Mixing, parameters_count, shapes
    from optics.convshare.model import ConvShareViT
    from optics.convshare.vit import from_vit, to_vit

_HOMES = {
    "config": ("MIXINGS", "ConvShareConfig", "Mixing", "parameters_count", "shapes"),
    "model": ("ConvShareViT",),
    "vit": ("from_vit", "to_vit"),
}

__all__ = [
    "MIXINGS",
    "ConvShareConfig",
    "ConvShareViT",
    "Mixing",
    "from_vit",
    "parameters_count",
    "shapes",
    "to_vit",
]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
