"""How often the answers of real nodes were right, beside what the artifact's table says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgesim.artifact import Artifact
from edgesim.results.accuracy import Accuracy
from edgesim.serve.coordinator.play import Played


def measured(
    artifact: Artifact, plays: Sequence[Played], *, samples: int, images: int
) -> Accuracy | None:
    """Return how often the answers were right; None where no answer could be judged.

    Args:
        artifact: that was served.
        plays: replications.
        samples: images of one request.
        images: different ones that were sent, at most.
    """
    answered: Counter[tuple[bool, ...]] = Counter()
    right: Counter[tuple[bool, ...]] = Counter()
    for one in plays:
        if one.right is None:
            return None
        answered += one.answered
        right += one.right
    requests = answered.total()
    if not requests:
        return None
    expected = {
        there: artifact.accuracy.without(
            frozenset(part for part, here in enumerate(there) if not here)
        )
        for there in answered
    }
    return Accuracy(
        top1=right.total() / (requests * samples),
        top1_expected=sum(expected[there] * many for there, many in answered.items()) / requests,
        top1_all_parts=artifact.accuracy.top1,
        top1_unsplit=artifact.accuracy.top1_unsplit,
        dataset=artifact.accuracy.dataset,
        samples=min(requests * samples, images),
        by_parts={
            "".join("1" if here else "0" for here in there): {
                "requests": many,
                "top1": right[there] / (many * samples),
                "top1_expected": expected[there],
            }
            for there, many in answered.most_common()
        },
    )
