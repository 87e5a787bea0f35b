"""The signed manifest of an artifact: the only statement of what a node may load.

The signature is Ed25519 over the bytes of ``manifest.json`` as they are on disk. They name every
file by its SHA-256, so that the signature covers the weights too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from grpc import StatusCode

from edgesim.common.errors import InputError
from edgesim.serve.refusal import RefusalError, invalid
from partition.errors import PartitionError
from partition.manifest import parse_manifest
from partition.schema import FusionEntry, Manifest, PartEntry, TrainedManifest

_PURPOSE = b"edgesim manifest 1\n"
"""Signed before the bytes, so that no signature of anything else is one of a manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of an artifact.

    Attributes:
        name: ``part-0`` … and ``fusion``.
        sha256: SHA-256 of its file.
        model: shape and cost.
        mean: mean of each channel that its inputs are normalised by; () where it is not known.
        std: standard deviation of each channel, likewise.
    """

    name: str
    sha256: str
    model: PartEntry | FusionEntry
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedManifest:
    """A manifest whose signature was found good.

    Attributes:
        data: bytes that were signed.
        signature: signature of the data.
        manifest: content of the data.
    """

    data: bytes
    signature: bytes
    manifest: Manifest

    @property
    def sha256(self) -> str:
        """SHA-256 of the data, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def entries(self) -> dict[str, Entry]:
        """The models by name."""
        manifest = self.manifest
        mean: tuple[float, ...] = ()
        std: tuple[float, ...] = ()
        if isinstance(manifest, TrainedManifest):
            mean, std = manifest.data.mean, manifest.data.std
        return {
            name: Entry(
                name=name, sha256=manifest.files[model.file], model=model, mean=mean, std=std
            )
            for name, model in manifest.models.items()
        }

    def entry(self, name: str) -> Entry:
        """Return a model by name.

        Raises:
            RefusalError: the manifest has none of that name.
        """
        entries = self.entries
        if name not in entries:
            raise RefusalError(
                StatusCode.NOT_FOUND,
                f"artifact '{self.manifest.name}' has no {name[:100]!r}; it has "
                f"{', '.join(entries)}",
            )
        return entries[name]


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
    """Return a manifest after checking its signature; nothing is read before that.

    Raises:
        RefusalError: the signature is not of these bytes by that key, or they are no manifest.
    """
    try:
        trusted.verify(signature, _PURPOSE + data)
    except InvalidSignature:
        raise RefusalError(
            StatusCode.PERMISSION_DENIED,
            "the manifest was changed, or is not signed with the key that this node trusts",
        ) from None
    try:
        manifest = parse_manifest(data, "the manifest")
    except PartitionError as error:
        raise invalid(str(error)) from error
    return SignedManifest(data=data, signature=signature, manifest=manifest)
