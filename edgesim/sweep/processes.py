"""An executor of processes that are started anew and end with the one that started them.

`concurrent.futures.ProcessPoolExecutor` would not do: processes that it forks share locks and
threads with a notebook, those that it spawns import the user's script once more, and they live on
after a SIGKILL to the one that started them. Calls come on stdin and results go out on stdout.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from edgesim.common.errors import EdgesimError
from edgesim.common.processes import end_of, environment

_COMMAND = (sys.executable, "-c", "from edgesim.sweep.processes import main; main()")
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class Processes(Executor):
    """Calls functions in processes of its own, which `shutdown` ends at once.

    Args:
        count: of processes.

    Raises:
        EdgesimError: they cannot be started.
    """

    def __init__(self, count: int) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Any]] = SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(count):
                self._start()
        except OSError as error:
            self.shutdown()
            raise EdgesimError(
                f"cannot start {count:,} worker processes: {error.strerror or error}"
            ) from None

    def _start(self) -> None:
        # Ctrl-C reaches all processes of a terminal's session: these end with their stdin.
        process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        self._processes.append(process)
        Thread(target=self._serve, args=(process,), daemon=True).start()

    def submit(
        self,
        fn: Callable[_Parameters, _Result],
        /,
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> Future[_Result]:
        """Return the future of a call; it raises EdgesimError where its process ends first."""
        future: Future[_Result] = Future()
        self._calls.put((future, (fn, args, kwargs)))
        return future

    def _serve(self, process: subprocess.Popen[bytes]) -> None:
        """Give calls to one process, one after the other."""
        assert process.stdin is not None
        assert process.stdout is not None
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                pickle.dump(call, process.stdin)
                process.stdin.flush()
                result, error = pickle.load(process.stdout)
            except (OSError, EOFError, ValueError):
                future.set_exception(EdgesimError(f"a worker process ended {end_of(process)}"))
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes at once, whatever they do."""
        with contextlib.suppress(Empty):
            while cancel_futures:
                self._calls.get_nowait()[0].cancel()
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError, ValueError):
                    assert stream is not None
                    stream.close()


def main() -> None:
    """Answer calls until stdin ends, also when the process that calls is killed."""
    # What anything prints goes to stderr: results have stdout for themselves.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    calls: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(calls,), daemon=True).start()
    while True:
        function, args, kwargs = calls.get()
        answer: tuple[Any, BaseException | None]
        try:
            answer = function(*args, **kwargs), None
        except Exception as error:
            answer = None, error
        try:
            pickle.dump(answer, results)
            results.flush()
        except BrokenPipeError:
            os._exit(0)  # who calls was killed: nobody waits for this result


def _listen(calls: SimpleQueue[Any]) -> None:
    with contextlib.suppress(EOFError):
        while True:
            calls.put(pickle.load(sys.stdin.buffer))
    # Nobody waits for the result of the call that is under way.
    os._exit(0)
