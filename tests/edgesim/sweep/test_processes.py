"""Processes of a study, alone."""

from __future__ import annotations

import pickle
import subprocess
import time

from edgesim.sweep.processes import _COMMAND


def test_a_process_whose_result_nobody_reads_ends_in_silence() -> None:
    """As one does whose caller was killed while it computed: whichever of its two ends it meets."""
    process = subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with process.stdin as calls, process.stderr as errors:
        pickle.dump((time.sleep, (0.2,), {}), calls)
        calls.flush()
        process.stdout.close()
        assert errors.read() == b""
        assert process.wait(timeout=60) == 0
