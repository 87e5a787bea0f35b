"""Roles in docstrings, ``:func:`optics.encoding.encode` ``, as links of the site's API pages."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from griffe import AliasResolutionError, Extension, NameResolutionError, Object

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?)([\w.\s]+)`")


class Roles(Extension):
    """Turns every role into the name that it shows, with a link where the site has the object."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite an object's docstring; griffe calls this for each that it collects."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(
                lambda role: _link(obj, *role.groups()), obj.docstring.value
            )


def _link(obj: Object, short: str, name: str) -> str:
    path = "".join(name.split())
    shown = path.rpartition(".")[2] if short else path
    # What is not known here is a full path already, or a name outside of the two packages.
    with contextlib.suppress(NameResolutionError, AliasResolutionError):
        path = obj.resolve(path)
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
