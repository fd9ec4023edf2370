"""Certificates of a made-up authority and its signers, as C2PA wants them; made anew by each test that asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """A signer's certificate with its authority's, and its key; all PEM."""

    chain: bytes
    key: bytes
    root: bytes

    def save(self, folder: Path) -> dict[str, str]:
        """Write both files; returns the environment that names them."""
        (folder / "chain.pem").write_bytes(self.chain)
        (folder / "key.pem").write_bytes(self.key)
        return {"TRANSLATE_C2PA_CERTIFICATES": str(folder / "chain.pem"),
                "TRANSLATE_C2PA_KEY": str(folder / "key.pem")}


def make_identity(name: str = "studio", valid: timedelta = timedelta(days=2)) -> Identity:
    """A signer of this common name below an authority of its own; ES256."""
    above, below = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("authority", "authority", above, above, timedelta(days=3), ca=True)
    leaf = _certificate(name, "authority", below, above, valid, ca=False)
    key = below.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(leaf + root, key, root)


def _certificate(name, issuer, key, issuer_key, valid, *, ca):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name)).issuer_name(_name(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not ca:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(common):
    parts = (NameOID.ORGANIZATION_NAME, "Test"), (NameOID.COMMON_NAME, common)
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])
