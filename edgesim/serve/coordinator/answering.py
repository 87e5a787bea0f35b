"""One request answered: its parts asked all at once, and what answered fused."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.serve.coordinator.asking import Input, Lost, Reply, ask, question
from edgesim.serve.coordinator.peer import Peer
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import Work
from edgesim.serve.protocol.open_inference_pb2 import ModelInferRequest

INPUT, FEATURES, LOGITS = "input", "features", "logits"
"""Names of tensors, as nodes tell them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one request.

    Attributes:
        parts: what came of each, in the order of the artifact.
        fusion: what came of the fusion; None where no part answered, or not all that have to.
        logits: (samples, classes); None where there is no answer.
    """

    parts: tuple[Reply | Lost, ...]
    fusion: Reply | Lost | None
    logits: NDArray[np.float32] | None

    @property
    def there(self) -> tuple[bool, ...]:
        """Return which parts answered."""
        return tuple(isinstance(one, Reply) for one in self.parts)

    @property
    def reason(self) -> str | None:
        """Return why there is no answer; None where there is one."""
        if isinstance(self.fusion, Lost):
            return self.fusion.reason
        if self.fusion is None:
            return "; ".join(sorted({one.reason for one in self.parts if isinstance(one, Lost)}))
        return None


class Coordinator:
    """Answers requests with the nodes of a run."""

    def __init__(
        self,
        work: Work,
        peers: Mapping[str, Peer],
        policy: Policy,
        generator: random.Random,
        clock: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            work: what every request asks.
            peers: nodes by name.
            policy: of the run.
            generator: of the jitter between tries.
            clock: seconds.
        """
        self._work = work
        self._peers = peers
        self._policy = policy
        self._generator = generator
        self._clock = clock

    async def answer(self, number: int, pixels: NDArray[np.float32]) -> Answered:
        """Return the answer to images (samples, channels, height, width)."""
        work = self._work
        samples = len(pixels)
        image = Input(INPUT, pixels.shape, pixels.tobytes())
        parts = await asyncio.gather(
            *(
                self._ask(piece.node, question(piece, (image,), FEATURES, number))
                for piece in work.parts
            )
        )
        features = [
            Input(f"{FEATURES}-{part}", (samples, len(one.output) // (4 * samples)), one.output)
            for part, one in enumerate(parts)
            if isinstance(one, Reply)
        ]
        fusion = logits = None
        whole = len(features) == len(parts)
        if features and (whole or self._policy.degrade):
            asked = question(work.fusion, features, LOGITS, number)
            fusion = await self._ask(work.fusion.node, asked)
            if isinstance(fusion, Reply):
                logits = np.frombuffer(fusion.output, dtype="<f4").reshape(samples, work.classes)
        return Answered(parts=tuple(parts), fusion=fusion, logits=logits)

    async def _ask(self, node: str, request: ModelInferRequest) -> Reply | Lost:
        return await ask(self._peers[node], request, self._policy, self._generator, self._clock)
