"""A model of one's own: a convolutional stem, two attention blocks, ten classes.

$ edgesim trace torch:examples/own-model/net.py:build --input '[3, 96, 96]' -o net.graph.json
$ edgesim run examples/own-model.yaml --set model.graph=../net.graph.json
"""

from __future__ import annotations

from torch import Tensor, nn


class Block(nn.Module):
    """Attention and a feed-forward network, each with a residual sum; (B, tokens, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        normed = self.norm1(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        return tokens + self.mlp(self.norm2(tokens))


class Net(nn.Module):
    """Classifies images (B, 3, height, width)."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, stride=2, padding=1),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, stride=4, padding=1),
        )
        self.blocks = nn.Sequential(*(Block(width, heads=4) for _ in range(depth)))
        self.head = nn.Linear(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (B, classes)."""
        tokens = self.stem(image).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(self.blocks(tokens).mean(1))
        return logits


def build(width: int = 96, depth: int = 2, classes: int = 10) -> Net:
    """Return the model; what `model.arguments` of a scenario names arrives here."""
    return Net(width, depth, classes)
