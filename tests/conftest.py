"""What every test relies on."""

import signal

from tests import needs


def pytest_configure() -> None:
    """Hide what ``EDGESIM_BARE`` hides, and hear interrupts.

    A shell in whose background the tests run ignores interrupts, commands that the tests start
    inherit that, and some tests interrupt them.
    """
    needs.hide()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
