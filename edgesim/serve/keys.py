"""Keys for a cluster of one's own: a certificate authority, and who is who under it.

``edgesim keys DIR HOST ...`` writes one folder for everyone who takes part, to be copied there:

- ``ca``: signs the others; only needed to add hosts later;
- one by the name of every host, for its node;
- ``client``: may ask for inferences;
- ``admin``: may also put parts on nodes; it alone has the key that signs manifests.

Each holds ``ca.pem``, ``cert.pem`` and ``key.pem``. Nodes and the admin share ``manifest.pub``, and
a ``token`` that stands in for the certificate where there is no TLS.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgesim.common.errors import InputError, write_error
from edgesim.common.folders import whole_folder

ADMIN = "urn:edgesim:admin"
"""In the alternative names of a certificate whose holder may put parts on nodes."""
CLIENT = "urn:edgesim:client"
_CA_DAYS = 3650
_LEAF_DAYS = 730
_RESERVED = ("ca", "client", "admin")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}")


def make_keys(folder: Path, hosts: Sequence[str]) -> list[Path]:
    """Write the folders that are not there yet; return them.

    Args:
        folder: new, or one that this function filled; an authority that it holds stays.
        hosts: names or addresses of nodes, as clients reach them; every certificate is good for
            ``localhost`` too.

    Raises:
        InputError: a host's name cannot be one, or the folder's authority cannot be read.
        EdgesimError: the folder cannot be written.
    """
    for host in hosts:
        if host in _RESERVED or _HOST.fullmatch(host) is None or not _is_host(host):
            raise InputError(f"expected a host's name or address, got {host!r}")
    try:
        return _make(folder, hosts)
    except (FileNotFoundError, ValueError) as error:
        raise InputError(f"cannot read the authority in {folder / 'ca'}: {error}") from error
    except OSError as error:
        raise write_error(f"cannot make keys in {folder}", error) from error


def _make(folder: Path, hosts: Sequence[str]) -> list[Path]:
    made = []
    if not (folder / "ca").is_dir():
        _new_authority(folder / "ca")
        made.append(folder / "ca")
    authority = x509.load_pem_x509_certificate((folder / "ca" / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "ca" / "key.pem").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("ca/key.pem is not a key of an elliptic curve")
    shared = {name: (folder / "ca" / name).read_bytes() for name in ("token", "manifest.pub")}
    signer = {"manifest.key": (folder / "ca" / "manifest.key").read_bytes()}
    for name, usage, extra in (
        ("client", CLIENT, {}),
        ("admin", ADMIN, {**shared, **signer}),
        *((host, None, shared) for host in hosts),
    ):
        if not (folder / name).is_dir():
            _new_member(folder / name, authority, key, usage, extra)
            made.append(folder / name)
    return made


def _new_authority(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edgesim test authority")])
    only_signs = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key.public_key(), key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(only_signs, critical=True)
        .sign(key, hashes.SHA256())
    )
    signer = ed25519.Ed25519PrivateKey.generate()
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(
        folder,
        {
            "ca.pem": certificate.public_bytes(serialization.Encoding.PEM),
            "key.pem": _private(key),
            "manifest.key": _private(signer),
            "manifest.pub": public,
            "token": secrets.token_urlsafe(32).encode(),
        },
    )


def _new_member(
    folder: Path,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    usage: str | None,
    extra: dict[str, bytes],
) -> None:
    """Write a certificate for a role, or for the host that the folder is named after."""
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName]
    if usage is None:
        names = [_general(host) for host in (folder.name, "localhost", "127.0.0.1", "::1")]
        purpose = ExtendedKeyUsageOID.SERVER_AUTH
    else:
        names = [x509.UniformResourceIdentifier(usage)]
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name[:64])])
    certificate = (
        _builder(subject, authority.subject, key.public_key(), signer.public_key(), _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(list(dict.fromkeys(names))), critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(
        folder,
        {
            "ca.pem": authority.public_bytes(serialization.Encoding.PEM),
            "cert.pem": certificate.public_bytes(serialization.Encoding.PEM),
            "key.pem": _private(key),
            **extra,
        },
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # The clocks of small boards are off until they have asked for the time.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _is_host(host: str) -> bool:
    """Return whether a name with colons is an address: an URN must not become a host's name."""
    return ":" not in host or isinstance(_general(host), x509.IPAddress)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write a folder that its owner alone may read, whole or not at all."""
    with whole_folder(folder, mode=0o700, check=_refuse) as building:
        for name, data in files.items():
            mode = 0o644 if name.endswith((".pub", "cert.pem", "ca.pem")) else 0o600
            handle = os.open(building / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(handle, "wb") as file:
                file.write(data)


def _refuse(folder: Path) -> None:
    raise FileExistsError(errno.EEXIST, "another process has just made it", str(folder))
