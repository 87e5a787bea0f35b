"""Authentication: keys of a folder, with TLS or, on this machine, without; and channels."""

from __future__ import annotations

import hmac
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from grpc import StatusCode

from edgesim.common.errors import InputError
from edgesim.serve.addresses import is_loopback, split_address
from edgesim.serve.keys import ADMIN
from edgesim.serve.options import MAX_MESSAGE_BYTES
from edgesim.serve.refusal import RefusalError

_MAKE = "make keys with 'edgesim keys DIR HOST ...'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Keys of one participant.

    Attributes:
        folder: the folder of the keys.
        plain: no TLS.
        ca: certificate of the authority, PEM; empty where plain.
        certificate: own, PEM; empty where plain.
        key: the certificate's private key, PEM; empty where plain.
        token: replaces the certificate without TLS; empty where the folder has none.
    """

    folder: Path
    plain: bool
    ca: bytes
    certificate: bytes
    key: bytes
    token: str

    def server_credentials(self, *, known_clients: bool) -> grpc.ServerCredentials | None:
        """Return the credentials of a server; None without TLS.

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
        """Return the credentials of a client; None without TLS."""
        if self.plain:
            return None
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a client's calls of the admin service."""
        return (("authorization", f"Bearer {self.token}"),) if self.plain else ()

    def check_admin(
        self, peer: Mapping[str, Iterable[bytes]], metadata: Iterable[tuple[str, str | bytes]]
    ) -> None:
        """Check that a caller is an admin.

        Args:
            peer: properties of the caller that gRPC authenticated.
            metadata: metadata of the call.

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
                    StatusCode.UNAUTHENTICATED,
                    "the token is missing or wrong; deploy with the admin's keys",
                )
        elif ADMIN.encode() not in peer.get("peer_uri", ()):
            # Only entries of type URI: a DNS name or e-mail address may spell the same.
            raise RefusalError(
                StatusCode.PERMISSION_DENIED,
                "the certificate is not an admin's; deploy with the admin's keys",
            )


def read_access(folder: Path, *, plain: bool) -> Access:
    """Read the keys of a folder.

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
        _check_private(folder / ("token" if plain else "key.pem"))
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


def _check_private(path: Path) -> None:
    """Check that not every user of this machine can read a key or write it.

    Raises:
        ValueError: they can.
    """
    if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o007:
        raise ValueError(
            f"{path.name} is open to every user of this machine (mode {mode:04o}); "
            f"run 'chmod 600 {path}' if nobody has copied it"
        )


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


UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""In what gRPC says where the other side's certificate is of another authority or host."""


def open_channel(
    address: str,
    access: Access,
    *,
    own_connection: bool = False,
    largest_reply_bytes: int = MAX_MESSAGE_BYTES,
) -> grpc.aio.Channel:
    """Return a channel to a node; it connects when it is first used, and anew after a break.

    Args:
        address: HOST:PORT.
        access: keys of the client.
        own_connection: share no connection, nor its waits to reconnect, with other channels.
        largest_reply_bytes: size that a reply may announce; a call ends at the first bytes of a
            larger one.

    Raises:
        InputError: without TLS, the address is of another machine.
    """
    host, _ = split_address(address)
    options = [
        ("grpc.max_receive_message_length", min(largest_reply_bytes, MAX_MESSAGE_BYTES)),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # A node that is started again is found again within a second or two.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1000),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.use_local_subchannel_pool", int(own_connection)),
    ]
    credentials = access.channel_credentials()
    if credentials is not None:
        return grpc.aio.secure_channel(address, credentials, options=options)
    if not is_loopback(host):
        raise InputError(f"{address} is another machine: without TLS no connection to it is made")
    return grpc.aio.insecure_channel(address, options=options)
