"""What code that is run depends on, files and packages, and that it uses no network."""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib import metadata
from typing import Any

from edgesim.graph.sources.cache import digest, version

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class NetworkError(RuntimeError):
    """Code that builds a model wants to use the network."""


class Watch:
    """Notes what is opened and imported from `begin` on, and refuses the network.

    Attributes:
        refused_address: message about the first address that was asked for; empty for none.
    """

    def __init__(self) -> None:
        self.refused_address = ""
        self._opened: set[str] = set()
        self._before: frozenset[str] = frozenset()
        self._begun = False

    def begin(self) -> None:
        """From here on, watch; there is no end, but that of the process."""
        self._before = frozenset(sys.modules)
        self._begun = True
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            flags = arguments[2] if len(arguments) > 2 else 0
            if not isinstance(flags, int) or flags & (os.O_WRONLY | os.O_RDWR) == 0:
                self._opened.add(arguments[0])
        elif event in _NETWORK:
            self._refuse(event, arguments)

    def _refuse(self, event: str, arguments: tuple[Any, ...]) -> None:
        address = arguments[0] if event.startswith("socket.get") else arguments[-1]
        if isinstance(address, str | bytes) and not event.startswith("socket.get"):
            # A socket of this machine has a path.
            return
        host = address[0] if isinstance(address, tuple) else address
        message = (
            f"the code wants to connect to {host}; only shapes are needed, so build the model "
            "without pretrained weights (pretrained=False, weights=None, or from a configuration)"
        )
        self.refused_address = self.refused_address or message
        raise NetworkError(message)

    def files(self) -> dict[str, str]:
        """Return the SHA-256 of each file that was read or imported, installed packages aside."""
        found = dict.fromkeys(self._opened) if self._begun else {}
        for name in set(sys.modules) - self._before:
            path = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(path, str):
                found[path] = None
        digests = {}
        for path in sorted(map(os.path.abspath, found)):
            if _is_users(path):
                known = digest(path)
                if known is not None:
                    digests[path] = known
        return digests

    def versions(self) -> dict[str, str]:
        """Return the version of each installed package that was imported."""
        if not self._begun:
            return {}
        tops = {name.partition(".")[0] for name in set(sys.modules) - self._before}
        owners = metadata.packages_distributions()
        names = {name for top in tops for name in owners.get(top, ())}
        return {name: known for name in sorted(names) if (known := version(name)) is not None}


def is_installed(path: str) -> bool:
    """Return whether a file is of an installed package."""
    return any(part in path for part in _INSTALLED)


_OWN = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})


def _is_users(path: str) -> bool:
    """Return whether a file is neither of Python, an installed package, edgesim nor the system."""
    if path.endswith((".pyc", ".so")) or is_installed(path):
        return False
    elsewhere = (*_STANDARD, _OWN, "/proc", "/sys", "/dev", "/etc")
    return not path.startswith(tuple(f"{one}{os.sep}" for one in elsewhere)) and os.path.isfile(
        path
    )
