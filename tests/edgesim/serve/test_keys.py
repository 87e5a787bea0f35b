"""Keys: that a verifier of another library takes them, who is let through, and who is not."""

from __future__ import annotations

import ipaddress
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from grpc import StatusCode

from edgesim.common.errors import InputError
from edgesim.serve.access import Access, read_access
from edgesim.serve.keys import ADMIN, CLIENT, make_keys
from edgesim.serve.manifest import SignedManifest, read_public_key, sign, verify
from edgesim.serve.refusal import RefusalError
from tests.edgesim.serve.cluster import ARTIFACT


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def policy(folder: Path, days: int = 0) -> PolicyBuilder:
    store = Store([certificate(folder / "ca.pem")])
    return PolicyBuilder().store(store).time(datetime.now(UTC) + timedelta(days=days))


def test_certificates_chain_to_their_authority_and_to_no_other(tmp_path: Path) -> None:
    hosts = ["pi-0.local", "192.0.2.7"]
    make_keys(tmp_path / "ours", hosts)
    make_keys(tmp_path / "theirs", [])
    ours, theirs = tmp_path / "ours" / "client", tmp_path / "theirs" / "client"
    names = [x509.DNSName("pi-0.local"), x509.IPAddress(ipaddress.ip_address("192.0.2.7"))]
    for host, name in zip(hosts, names, strict=True):
        own = certificate(tmp_path / "ours" / host / "cert.pem")
        for reached in (name, x509.DNSName("localhost")):
            policy(ours).build_server_verifier(reached).verify(own, [])
        with pytest.raises(VerificationError):
            policy(theirs).build_server_verifier(name).verify(own, [])
        with pytest.raises(VerificationError):
            policy(ours).build_server_verifier(x509.DNSName("pi-1.local")).verify(own, [])
        with pytest.raises(VerificationError):
            policy(ours).build_client_verifier().verify(own, [])
        with pytest.raises(VerificationError):
            policy(ours, days=731).build_server_verifier(name).verify(own, [])
    for who, role in (("client", CLIENT), ("admin", ADMIN)):
        own = certificate(tmp_path / "ours" / who / "cert.pem")
        found = policy(ours).build_client_verifier().verify(own, [])
        assert [one.value for one in found.subjects] == [role]
        with pytest.raises(VerificationError):
            policy(theirs).build_client_verifier().verify(own, [])


def test_only_the_admin_can_sign_and_only_owners_can_read(tmp_path: Path) -> None:
    make_keys(tmp_path, ["pi-0"])
    assert {path.parent.name for path in tmp_path.glob("*/manifest.key")} == {"admin", "ca"}
    assert {path.parent.name for path in tmp_path.glob("*/token")} == {"admin", "ca", "pi-0"}
    for folder in tmp_path.iterdir():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for secret in ("key.pem", "manifest.key", "token"):
            if (folder / secret).exists():
                assert stat.S_IMODE((folder / secret).stat().st_mode) == 0o600


def test_hosts_can_be_added_and_what_is_there_stays(tmp_path: Path) -> None:
    assert len(make_keys(tmp_path, ["pi-0"])) == 4
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert make_keys(tmp_path, ["pi-0", "pi-1"]) == [tmp_path / "pi-1"]
    assert make_keys(tmp_path, ["pi-0", "pi-1"]) == []
    assert {path: path.read_bytes() for path in before} == before
    name = x509.DNSName("pi-1")
    own = certificate(tmp_path / "pi-1" / "cert.pem")
    policy(tmp_path / "client").build_server_verifier(name).verify(own, [])


@pytest.mark.parametrize(
    "host", ["", "../pi", "a/b", ".hidden", "-x", "client", "ca", "a b", "urn:edgesim:admin"]
)
def test_names_that_cannot_be_hosts_are_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a host's name or address"):
        make_keys(tmp_path / "keys", [host])
    assert list(tmp_path.iterdir()) == []


def test_an_authority_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    make_keys(tmp_path, [])
    (tmp_path / "ca" / "key.pem").write_text("no key")
    with pytest.raises(InputError, match="cannot read the authority in"):
        make_keys(tmp_path, ["pi-1"])


def test_keys_that_are_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder of keys; make keys with"):
        read_access(tmp_path / "none", plain=False)
    with pytest.raises(InputError, match=r"cannot read the keys .*ca\.pem"):
        read_access(tmp_path, plain=False)


@pytest.mark.parametrize(("plain", "name"), [(False, "key.pem"), (True, "token")])
def test_keys_that_every_user_can_read_are_refused(plain: bool, name: str, tmp_path: Path) -> None:
    make_keys(tmp_path, ["pi-0"])
    secret = tmp_path / "pi-0" / name
    secret.chmod(0o640)
    read_access(tmp_path / "pi-0", plain=plain)
    secret.chmod(0o644)
    with pytest.raises(InputError, match=rf"{name} is open to every user .*0644.*chmod 600"):
        read_access(tmp_path / "pi-0", plain=plain)


def plain(token: str) -> Access:
    return Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token=token)


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", "Bearer wrong")],
        [("authorization", "Bearer ")],
        [("authorization", "secret")],
        [("authorization", b"Bearer secret\xff")],
        [("authorization", "Bearer secret"), ("authorization", "Bearer secret")],
        [("other", "Bearer secret")],
    ],
)
def test_only_the_token_opens_the_admin_service_without_tls(metadata: list) -> None:
    with pytest.raises(RefusalError, match="the token is missing or wrong") as caught:
        plain("secret").check_admin({}, metadata)
    assert caught.value.code is StatusCode.UNAUTHENTICATED
    plain("secret").check_admin({}, [("authorization", "Bearer secret")])


def test_a_node_without_a_token_lets_nobody_in() -> None:
    for metadata in ([], [("authorization", "Bearer ")]):
        with pytest.raises(RefusalError):
            plain("").check_admin({}, metadata)


def member(authority: Path, folder: Path, name: x509.GeneralName) -> Path:
    """Write the keys of a client whose certificate has one alternative name."""
    issuer = certificate(authority / "ca.pem")
    signer = serialization.load_pem_private_key((authority / "key.pem").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    signed = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    folder.mkdir()
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes((authority / "ca.pem").read_bytes())
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *private))
    (folder / "key.pem").chmod(0o600)
    return folder


@pytest.mark.parametrize(
    ("name", "is_admin"),
    [
        (x509.UniformResourceIdentifier(ADMIN), True),
        (x509.DNSName(ADMIN), False),
        (x509.RFC822Name._init_without_validation(ADMIN), False),
        (x509.UniformResourceIdentifier(CLIENT), False),
    ],
    ids=["URI", "DNS name", "e-mail address", "URI of a client"],
)
def test_only_a_uri_makes_an_admin(
    name: x509.GeneralName, is_admin: bool, keys: Path, tmp_path: Path
) -> None:
    access = read_access(keys / "localhost", plain=False)

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            access.check_admin(context.auth_context(), context.invocation_metadata())
        except RefusalError as refusal:
            return refusal.code.name.encode()
        return b"admin"

    server = grpc.server(ThreadPoolExecutor(1))
    methods = {"who": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", methods),))
    credentials = access.server_credentials(known_clients=True)
    assert credentials is not None
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    caller = read_access(member(keys / "ca", tmp_path / "caller", name), plain=False)
    channel = grpc.secure_channel(f"127.0.0.1:{port}", caller.channel_credentials())
    try:
        found = channel.unary_unary("/test/who")(b"", timeout=30.0)
    finally:
        channel.close()
        server.stop(None)
    assert found == (b"admin" if is_admin else b"PERMISSION_DENIED")


def test_a_signature_is_of_these_bytes_by_this_key_for_this_purpose(
    keys: Path, manifest: SignedManifest, tmp_path: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    data, signature = manifest.data, manifest.signature
    assert verify(data, signature, trusted) == manifest
    for at in (0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(RefusalError, match="was changed, or is not signed") as caught:
            verify(bytes(changed), signature, trusted)
        assert caught.value.code is StatusCode.PERMISSION_DENIED
    make_keys(tmp_path, [])
    bare = serialization.load_pem_private_key((keys / "admin/manifest.key").read_bytes(), None)
    for wrong in (
        sign(data, tmp_path / "admin" / "manifest.key"),
        bare.sign(data),  # by the right key, of the bytes alone
        b"",
        signature[:-1],
    ):
        with pytest.raises(RefusalError):
            verify(data, wrong, trusted)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is damaged"),
        (b"{}", "is not the manifest of a partition artifact"),
        (b"[]", "is not the manifest of a partition artifact"),
        (b"[" * 100_000, "is damaged"),
        (b'{"format": "edgesim-partition", "schema": 2}', "has schema 2; this version reads 1"),
        (b'{"format": "edgesim-partition", "schema": 1, "sha256": "0"}',
         "was changed after it was written"),
    ],
)  # fmt: skip
def test_what_is_signed_and_no_manifest_is_refused(keys: Path, data: bytes, reason: str) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    with pytest.raises(RefusalError, match=f"the manifest {reason}") as caught:
        verify(data, sign(data, keys / "admin" / "manifest.key"), trusted)
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


def test_a_manifest_names_every_file_by_its_hash(manifest: SignedManifest) -> None:
    files = json.loads((ARTIFACT / "manifest.json").read_text())["files"]
    assert {f"{name}.safetensors": one.sha256 for name, one in manifest.entries.items()} == files
    with pytest.raises(RefusalError, match=r"has no '\.\./part-0'; it has part-0, part-1"):
        manifest.entry("../part-0")


def test_keys_of_another_kind_are_told(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not an Ed25519 key"):
        sign(b"", keys / "admin" / "key.pem")
    with pytest.raises(InputError, match="cannot read the trusted key"):
        read_public_key(keys / "admin" / "token")
    assert os.listdir(tmp_path) == []
