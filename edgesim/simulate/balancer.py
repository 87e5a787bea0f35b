"""The branch for each request, where a plan has several."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from edgesim.simulate.work import ReadyBranch


class Balancer:
    """Chooses for each request the branch with the least work ahead of it: O(log n) for n branches.

    The heap has the work that a new request would find on each branch, and what it was before:
    an entry that no longer says what its branch has is skipped.
    """

    def __init__(self, branches: tuple[ReadyBranch, ...]) -> None:
        self._numbers = {branch: number for number, branch in enumerate(branches)}
        self._heap: list[tuple[float, int, ReadyBranch]] = []
        self._sort()

    def _sort(self) -> None:
        """Fill the heap anew, without entries of before."""
        self._heap = [
            (branch.next_work_s, number, branch) for branch, number in self._numbers.items()
        ]
        heapify(self._heap)

    def take(self) -> ReadyBranch:
        """Return the branch of a request that arrives now; of those that are up, if any is."""
        heap = self._heap
        down = []
        while heap:
            work_s, _, branch = heap[0]
            if work_s != branch.next_work_s:
                heappop(heap)
            elif all(server.up for server in branch.servers):
                break
            else:
                down.append(heappop(heap))
        chosen = heap[0][2] if heap else down[0][2]
        for entry in down:
            heappush(heap, entry)
        chosen.load += 1
        self._enter(chosen)
        return chosen

    def give_back(self, branch: ReadyBranch) -> None:
        """Take note that a request of a branch has ended."""
        branch.load -= 1
        self._enter(branch)

    def _enter(self, branch: ReadyBranch) -> None:
        heappush(self._heap, (branch.next_work_s, self._numbers[branch], branch))
        if len(self._heap) > 64 + 4 * len(self._numbers):
            self._sort()
