"""What every test relies on."""

import signal


def pytest_configure() -> None:
    """Hear interrupts, also where a shell in whose background the tests run ignores them.

    Commands that the tests start inherit it; some tests interrupt them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
