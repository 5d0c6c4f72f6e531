"""Who may connect to the OPC UA server: by certificate, by user and password, or anybody."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspector.errors import SettingsError
from inspector.records.line.stations import Value
from inspector.stations.fields import is_loopback
from inspector.text import reason


class Clients:
    """`get_user` as asyncua asks, once for each session. Raises `SettingsError` where the certificates can't be read."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._user, self._password = str(values["user"]).encode(), str(values["password"]).encode()
        path = str(values["trusted"])
        if path and not values["encrypted"]:
            raise SettingsError(
                "Certificates of clients are only asked for where the connection is encrypted.",
                "Choose “Encrypted” too, or leave the certificates empty.",
            )
        self._trusted = _read(Path(path)) if path else None

    def get_user(
        self, _server: object, username: str | None = None, password: Any = None, certificate: Any = None
    ) -> Any:
        """None: nobody. `certificate`: that of the encrypted channel, whose key the client has shown to have; what a client only says
        of itself when its session begins isn't asked."""
        from asyncua.crypto.permission_rules import User, UserRole

        given = password.encode() if isinstance(password, str) else bytes(password or b"")
        right = hmac.compare_digest((username or "").encode(), self._user) and hmac.compare_digest(
            given, self._password
        )
        known = self._trusted is None or _is_valid(certificate, self._trusted)
        return User(role=UserRole.User) if known and (right or not self._user) else None


def exposed(values: Mapping[str, Value]) -> str:
    """What is open with these settings, in a sentence; ""."""
    if is_loopback(str(values["host"])):
        return ""
    if not values["encrypted"]:
        return (
            "Results can be read in the network, and a password too: it isn't encrypted."
            if values["user"]
            else "Anybody in the network can read the results, and acknowledge them in the receiver's place."
        )
    if values["trusted"] or values["user"]:
        return (
            ""
            if values["trusted"]
            else "Any certificate is accepted; only user and password keep others out."
        )
    return "It is encrypted, but any certificate is accepted: anybody in the network can connect, read and acknowledge."


def _read(path: Path) -> frozenset[bytes]:
    """The certificates in a PEM or DER file, as DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        data = path.read_bytes()
        found = (
            x509.load_pem_x509_certificates(data)
            if b"-----BEGIN" in data
            else [x509.load_der_x509_certificate(data)]
        )
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The certificates “{path}” can't be read ({reason(error)}).", "Choose a PEM or DER file."
        ) from error
    return frozenset(one.public_bytes(Encoding.DER) for one in found)


def _is_valid(certificate: Any, trusted: frozenset[bytes]) -> bool:
    from cryptography import x509

    if not isinstance(certificate, bytes) or certificate not in trusted:
        return False
    read = x509.load_der_x509_certificate(certificate)
    now = datetime.now(UTC)
    return bool(read.not_valid_before_utc <= now <= read.not_valid_after_utc)


async def own_certificate(folder: Path, uri: str) -> tuple[Path, Path]:
    """(key, certificate) of this computer, made once."""
    import socket

    from asyncua.crypto.cert_gen import setup_self_signed_certificate
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key, certificate = folder / "key.pem", folder / "certificate.der"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = socket.gethostname()
    await setup_self_signed_certificate(
        key,
        certificate,
        uri,
        name,
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
        {"commonName": "Inspector"},
    )
    key.chmod(0o600)
    return key, certificate
