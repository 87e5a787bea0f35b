"""Noise-aware tuning: further training with noise in every layer as large as that of the light.

The rms of the noise is measured: the result of every layer on light against the exact one, on the
same activations, over the rms of the exact one. In training the noise is Gaussian, drawn again in
every step at a level uniform from 0 to 1, so that the model works with little light and loses
nothing with much. This takes as long as training without light; simulating the light of each step
would take over a hundred times longer.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from light_model import Recipe
from torch import Tensor, nn
from torch.nn import functional

from optics.convshare import ConvShareViT
from optics.layers.operating import Setup, optical_layers, put_on_light
from partition.checkpoint import TrainState
from partition.classify import TrainingSet, image_batches, predict
from partition.data import Data
from partition.files import fingerprint
from partition.progress import Progress
from partition.train import Score, TrainRun, seed_of, train


class NoisyConv2d(nn.Conv2d):
    """A convolution whose result has noise, in training and in evaluation alike.

    Attributes:
        share: rms of the noise at full level, over that of the result without bias.
        level: level of the noise, 0 to 1.
        generator: generator of the noise.
    """

    share: float
    level: float
    generator: torch.Generator

    @classmethod
    def of(cls, layer: nn.Conv2d, share: float, generator: torch.Generator) -> NoisyConv2d:
        """Return a noisy layer that shares the parameters of ``layer``."""
        made = cls(
            layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
            device="meta",
        )  # fmt: skip
        made.weight, made.bias = layer.weight, layer.bias
        made.share, made.level, made.generator = share, 1.0, generator
        return made

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in torch
        """Return (batch, out_channels, rows, columns)."""
        if input.shape[-2:] == self.kernel_size:
            # Kernels as large as the map are rows of a matrix, whose backward pass is faster.
            exact = functional.linear(input.flatten(1), self.weight.flatten(1))[..., None, None]
        else:
            exact = functional.conv2d(input, self.weight, None, self.stride, self.padding)
        rms = exact.detach().square().mean().sqrt()
        noise = torch.randn(exact.shape, generator=self.generator)
        assert self.bias is not None
        return exact + self.level * self.share * rms * noise + self.bias[:, None, None]


def noise_by_layer(model: nn.Module, setup: Setup, images: Tensor, seed: int) -> dict[str, float]:
    """Return rms error over rms result of every layer on a bench, with exact inputs."""
    light = put_on_light(model, setup, images, seed)
    layers = optical_layers(light)
    shares: dict[str, float] = {}
    for layer in layers.values():
        layer.road = "ideal"

    def note(name: str) -> object:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], exact: Tensor) -> None:
            if name in shares:
                return  # this hook is called again by the physical evaluation below
            shares[name] = 0.0
            layers[name].road = "physical"
            error = layer(inputs[0]) - exact
            layers[name].road = "ideal"
            assert layers[name].bias is not None
            plain_result = exact - layers[name].bias[:, None, None]  # type: ignore[index]
            share = error.square().mean().sqrt() / plain_result.square().mean().sqrt()
            shares[name] = round(
                float(share), 4
            )  # so that rounding of the simulation cannot change it

        return hook

    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]  # type: ignore[arg-type]
    with torch.no_grad():
        light(images)
    for hook in hooks:
        hook.remove()
    return shares


def with_noise(
    model: ConvShareViT, shares: Mapping[str, float], generator: torch.Generator
) -> ConvShareViT:
    """Return a model with the same parameters and noise in the layers named."""
    made = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    for name, share in shares.items():
        layer = made.get_submodule(name)
        assert isinstance(layer, nn.Conv2d)
        parent, _, own = name.rpartition(".")
        setattr(made.get_submodule(parent), own, NoisyConv2d.of(layer, share, generator))
    return made


def tuned(
    model: ConvShareViT,
    shares: Mapping[str, float],
    recipe: Recipe,
    data: Data,
    checkpoint: Path,
    progress: Progress,
    origin: str,
) -> TrainState:
    """Train a model further with noise, in place; the epoch of best noisy accuracy is selected.

    Args:
        model: model trained without light.
        shares: rms of the noise over that of the result, by layer.
        recipe: recipe with the ``tuning``.
        data: images.
        checkpoint: checkpoint of the run, resumed where it exists.
        progress: receives the progress of the training.
        origin: fingerprint of the model at the start.
    """
    noise = torch.Generator()
    noisy = with_noise(model, shares, noise)
    batches, steps = image_batches(TrainingSet.of(data), data, recipe.tuning)

    def epoch(generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        # Seeded for the epoch alone, so that an interrupted epoch is repeated with equal noise.
        noise.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        for batch in batches(generator):
            _set_level(noisy, float(torch.rand((), generator=noise)))
            yield batch

    def evaluate() -> Score:
        noise.manual_seed(seed_of(recipe.seed, 5))
        _set_level(noisy, 1.0)
        return Score.of(predict(noisy, data.validation, data), data.validation.labels)

    key = fingerprint(
        "tuned", origin, dict(shares), asdict(recipe.data), asdict(recipe.tuning), recipe.seed
    )
    run = TrainRun(name="tuned", checkpoint=checkpoint, identity=key, progress=progress)
    seed = seed_of(recipe.seed, 4)
    return train(noisy, epoch, steps, recipe.tuning, seed, run, evaluate=evaluate)


def _set_level(model: nn.Module, level: float) -> None:
    for layer in model.modules():
        if isinstance(layer, NoisyConv2d):
            layer.level = level
