"""The models that a node serves now."""

from __future__ import annotations

from collections.abc import Mapping

from edgesim.serve.models import Model, version
from edgesim.serve.refusal import Reason, RefusalError


class Serving:
    """Models by name, exchanged all at once.

    Attributes:
        models: by name.
        manifest: SHA-256 of the manifest that they are of; empty without models.
        starting: whether the node has yet to load what it served before it ended.
        draining: whether the node takes nothing more.
    """

    def __init__(self) -> None:
        self.models: Mapping[str, Model] = {}
        self.manifest = ""
        self.starting = True
        self.draining = False

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return bool(self.models) and not self.draining

    def replace(self, models: Mapping[str, Model], manifest: str) -> None:
        """Serve other models from now on; executions that go on are not touched."""
        self.models = dict(models)
        self.manifest = manifest

    def find(self, name: str, wanted: str = "") -> Model:
        """Return a model.

        Args:
            name: of the model.
            wanted: its version; empty for whichever is there.

        Raises:
            RefusalError: it is not served, or in another version, or not loaded yet.
        """
        model = self.models.get(name)
        if model is None and self.starting:
            raise RefusalError(Reason.UNAVAILABLE, "the node is starting: it loads its models")
        if model is None:
            known = ", ".join(self.models) or "none"
            raise RefusalError(
                Reason.NOT_FOUND, f"no model {name[:100]!r} here; this node serves {known}"
            )
        if wanted not in ("", version(model)):
            raise RefusalError(
                Reason.NOT_FOUND,
                f"model '{name}' is here in version {version(model)}, not {wanted[:100]!r}",
            )
        return model
