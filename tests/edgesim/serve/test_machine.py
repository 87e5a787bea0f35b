"""What a process keeps out of the collector's way, and what it does not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from edgesim.serve import machine


class Cycle:
    """Something that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_left_alone_and_what_comes_is_collected() -> None:
    machine.freeze_objects()
    assert gc.get_freeze_count() > 10_000
    seen = weakref.ref(Cycle())
    assert seen() is not None
    gc.collect()
    assert seen() is None


def test_what_has_gone_by_the_next_time_is_freed() -> None:
    held = Cycle()
    seen = weakref.ref(held)
    machine.freeze_objects()
    del held
    gc.collect()
    assert seen() is not None, "frozen"
    machine.freeze_objects()
    assert seen() is None
