"""The signed manifest of an artifact: the one word that a node takes for what it may load.

The signature is Ed25519 over the bytes of ``manifest.json`` as they are on disk. They name every
file by its SHA-256, so that the signature covers the weights too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from edgesim.common.errors import InputError
from edgesim.serve.refusal import Reason, RefusalError
from partition.reading import FORMAT, SCHEMA, manifest_hash

FUSION = "fusion"
_PURPOSE = b"edgesim manifest 1\n"
"""Signed before the bytes, so that no signature of anything else is one of a manifest."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of an artifact.

    Attributes:
        name: ``part-0`` … and ``fusion``.
        sha256: of its file.
        weight_bytes: of its parameters.
        config: of a part, see :class:`partition.config.ViTConfig`; empty for the fusion.
        part_widths: features of every part that the fusion reads; empty for a part.
        widths: of the fusion's layers; empty for a part.
    """

    name: str
    sha256: str
    weight_bytes: int
    config: Mapping[str, Any]
    part_widths: tuple[int, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedManifest:
    """A manifest whose signature was found good.

    Attributes:
        data: as it was signed.
        signature: of the data.
        artifact: its name.
        entries: the models by name.
    """

    data: bytes
    signature: bytes
    artifact: str
    entries: Mapping[str, Entry]

    @property
    def sha256(self) -> str:
        """SHA-256 of the data, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def entry(self, name: str) -> Entry:
        """Return a model by name.

        Raises:
            RefusalError: the manifest has none of that name.
        """
        if name not in self.entries:
            known = ", ".join(self.entries)
            raise RefusalError(
                Reason.NOT_FOUND,
                f"artifact '{self.artifact}' has no {name[:100]!r}; it has {known}",
            )
        return self.entries[name]


def sign(data: bytes, private_key: Path) -> bytes:
    """Return the signature of a manifest.

    Raises:
        InputError: the file holds no Ed25519 key.
    """
    try:
        key = serialization.load_pem_private_key(private_key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"cannot read the signing key {private_key}: {error}") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InputError(f"{private_key} is not an Ed25519 key")
    return key.sign(_PURPOSE + data)


def read_public_key(path: Path) -> ed25519.Ed25519PublicKey:
    """Return the key that a node trusts.

    Raises:
        InputError: the file holds no Ed25519 key.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the trusted key {path}: {error}") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise InputError(f"{path} is not an Ed25519 key")
    return key


def verify(data: bytes, signature: bytes, trusted: ed25519.Ed25519PublicKey) -> SignedManifest:
    """Return a manifest whose signature is good; nothing is read of it before.

    Raises:
        RefusalError: the signature is not of these bytes by that key, or they are no manifest.
    """
    try:
        trusted.verify(signature, _PURPOSE + data)
    except InvalidSignature:
        raise RefusalError(
            Reason.PERMISSION_DENIED,
            "the manifest was changed, or is not signed with the key that this node trusts",
        ) from None
    try:
        manifest = json.loads(data)
        if manifest["format"] != FORMAT or manifest["schema"] != SCHEMA:
            raise ValueError(f"format {manifest['format']!r}, schema {manifest['schema']!r}")
        if manifest["sha256"] != manifest_hash(manifest):
            raise ValueError("it contradicts its own SHA-256")
        return SignedManifest(
            data=data,
            signature=signature,
            artifact=str(manifest["name"]),
            entries=_entries(manifest),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RefusalError(
            Reason.INVALID_ARGUMENT,
            f"not a manifest that this version reads ({error!r}); make the artifact again",
        ) from error


def _entries(manifest: Mapping[str, Any]) -> dict[str, Entry]:
    files: Mapping[str, str] = manifest["files"]
    for digest in files.values():
        if _SHA256.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is no SHA-256")
    fusion = manifest["fusion"]
    entries = [
        Entry(
            name=f"part-{number}",
            sha256=files[part["file"]],
            weight_bytes=int(part["bytes"]),
            config=dict(part["config"]),
            part_widths=(),
            widths=(),
        )
        for number, part in enumerate(manifest["parts"])
    ]
    entries.append(
        Entry(
            name=FUSION,
            sha256=files[fusion["file"]],
            weight_bytes=int(fusion["bytes"]),
            config={},
            part_widths=tuple(map(int, fusion["part_widths"])),
            widths=tuple(map(int, fusion["widths"])),
        )
    )
    return {entry.name: entry for entry in entries}
