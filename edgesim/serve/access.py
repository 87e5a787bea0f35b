"""Who may speak to whom: what a folder of keys opens, with TLS or, on loopback, without."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edgesim.common.errors import InputError
from edgesim.serve.keys import ADMIN
from edgesim.serve.refusal import Reason, RefusalError

_MAKE = "make keys with 'edgesim keys DIR HOST ...'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one who takes part may do.

    Attributes:
        folder: of the keys.
        plain: without TLS.
        ca: certificate of the authority, PEM; empty where plain.
        certificate: own, PEM; empty where plain.
        key: of the certificate, PEM; empty where plain.
        token: that stands in for a certificate where plain, empty where the folder has none.
    """

    folder: Path
    plain: bool
    ca: bytes
    certificate: bytes
    key: bytes
    token: str

    def server_credentials(self, *, known_clients: bool) -> grpc.ServerCredentials | None:
        """Return what a server proves itself with; None without TLS.

        Args:
            known_clients: refuse clients without a certificate of the same authority.
        """
        if self.plain:
            return None
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.ca if known_clients else None,
            require_client_auth=known_clients,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Return what a client proves itself with; None without TLS."""
        if self.plain:
            return None
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what a client adds to calls of the admin service."""
        return (("authorization", f"Bearer {self.token}"),) if self.plain else ()

    def check_admin(
        self, peer: Mapping[str, Iterable[bytes]], metadata: Iterable[tuple[str, str | bytes]]
    ) -> None:
        """Let an admin pass.

        Args:
            peer: what gRPC authenticated of the caller.
            metadata: of the call.

        Raises:
            RefusalError: the caller's certificate is not an admin's or, without TLS, its token is
                another one.
        """
        if self.plain:
            # Compared as bytes: text of a stranger need not be ASCII.
            expected = f"Bearer {self.token}".encode()
            given = [
                value.encode() if isinstance(value, str) else value
                for key, value in metadata
                if key == "authorization"
            ]
            if len(given) != 1 or not self.token or not hmac.compare_digest(given[0], expected):
                raise RefusalError(
                    Reason.UNAUTHENTICATED,
                    "the token is missing or another one; deploy with the admin's keys",
                )
        elif ADMIN.encode() not in peer.get("x509_subject_alternative_name", ()):
            raise RefusalError(
                Reason.PERMISSION_DENIED,
                "the certificate is not an admin's; deploy with the admin's keys",
            )


def read_access(folder: Path, *, plain: bool) -> Access:
    """Return what the keys in ``folder`` open.

    Raises:
        InputError: one is missing or damaged.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of keys; {_MAKE}")
    try:
        certificates = [
            b"" if plain else (folder / name).read_bytes()
            for name in ("ca.pem", "cert.pem", "key.pem")
        ]
        if not plain:
            _check(*certificates)
        token = folder / "token"
        return Access(
            folder=folder,
            plain=plain,
            ca=certificates[0],
            certificate=certificates[1],
            key=certificates[2],
            token=token.read_text().strip() if token.exists() else "",
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the keys in {folder}: {error}; {_MAKE}") from error


def _check(ca: bytes, certificate: bytes, key: bytes) -> None:
    """Check that keys are what their files' names say: gRPC would only say that it cannot connect.

    Raises:
        ValueError: one is not.
    """
    for name, data in (("ca.pem", ca), ("cert.pem", certificate)):
        try:
            found = x509.load_pem_x509_certificate(data)
        except ValueError:
            raise ValueError(f"{name} is not a certificate in PEM form") from None
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        raise ValueError("key.pem is not a private key in PEM form without a password") from None
    if private.public_key() != found.public_key():
        raise ValueError("key.pem is not the key of cert.pem")
