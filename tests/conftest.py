"""What every test relies on."""

import contextlib
import os
import signal

import pytest

from tests import needs

LONGEST = (
    "abuse/test_kills.py",
    "edgesim/calibrate/profile/test_command.py",
    "edgesim/serve/test_faults.py",
    "edgesim/serve/test_fault_schedule.py",
    "edgesim/serve/test_coordinator.py",
    "edgesim/serve/test_both.py",
    "benchmarks/test_prediction.py",
    "edgesim/every_key/test_recipes.py",
    "benchmarks/test_sweep.py",
    "optics/convshare/test_grid.py",
    "partition/test_measures.py",
    "edgesim/sweep/test_sweep.py",
    "edgesim/test_cli_output.py",
    "edgesim/test_cli_interrupts.py",
    "partition/test_run.py",
    "golden/test_golden.py",
)
"""Modules of ten seconds and more, of tests, the longest first."""


with contextlib.suppress(ImportError):  # absent where the simulator is installed without extras
    from hypothesis import HealthCheck, settings

    # A machine that is busy with other things must not fail a test.
    UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("same examples", UNTIMED, derandomize=True)
    settings.register_profile("new examples", UNTIMED)
    settings.load_profile("same examples")


def pytest_configure(config: pytest.Config) -> None:
    """Draw what is drawn, hide what ``EDGESIM_BARE`` hides, and hear interrupts.

    Properties are tried on the same examples each time: who changes nothing sees no new failure.
    In a random order they are tried on new ones, to find failures.

    A shell in whose background the tests run ignores interrupts, commands that the tests start
    inherit that, and some tests interrupt them.
    """
    if config.pluginmanager.has_plugin("randomly"):
        settings.load_profile("new examples")
    needs.hide()
    # No trace of an earlier run answers for the code of this one.
    os.environ["EDGESIM_CACHE"] = "off"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest modules, so that no process is left alone with one at the end.

    A random order stays as it was drawn.
    """
    if config.pluginmanager.has_plugin("randomly"):
        return
    ranks = {f"tests/{name}": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))
