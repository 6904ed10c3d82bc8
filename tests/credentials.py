"""Content Credentials for tests: a certificate chain, and files signed with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["AI_GENERATED", "Chain", "make_chain", "sign_file"]

AI_GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@dataclass(frozen=True)
class Chain:
    """A signing certificate under an authority of the test's own.

    Attributes:
        certificates: PEM, the signer's first.
        key: PEM, the signer's private key.
        authority: PEM of the authority's certificate.
    """

    certificates: str
    key: str
    authority: str


def make_chain(*, organisation: str = "Test Newsroom", ocsp_url: str | None = None) -> Chain:
    """Make an authority and a certificate that it signed.

    Args:
        organisation: Whom the certificate names.
        ocsp_url: Where the certificate says that its revocation is to be asked for.
    """
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name("Test Authority"), _name(organisation)
    root = _certificate(root_name, root_name, root_key.public_key(), is_authority=True)
    root_cert = root.sign(root_key, hashes.SHA256())
    leaf = _certificate(name, root_name, key.public_key(), is_authority=False)
    if ocsp_url is not None:
        asked = x509.AccessDescription(
            x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url)
        )
        leaf = leaf.add_extension(x509.AuthorityInformationAccess([asked]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    leaf_cert = leaf.add_extension(issuer, critical=False).sign(root_key, hashes.SHA256())
    return Chain(_pem(leaf_cert) + _pem(root_cert), _private_pem(key), _pem(root_cert))


def _name(organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organisation} signer"),
        ]
    )


def _certificate(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    if is_authority:
        return built
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    return built.add_extension(purpose, critical=False)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def sign_file(
    source: Path,
    target: Path,
    *,
    chain: Chain,
    tool: str = "Test Editor",
    source_type: str | None = AI_GENERATED,
    more_actions: Sequence[dict[str, Any]] = (),
    remote_url: str | None = None,
) -> Path:
    """Write a signed copy of a picture or video.

    Args:
        source: The file.
        target: The copy.
        chain: Who signs.
        tool: Named as the maker of the claim.
        source_type: The digital source type of its creation.
        more_actions: What was done after.
        remote_url: Where its credentials are said to lie, instead of in the file.
    """
    created: dict[str, Any] = {"action": "c2pa.created"}
    if source_type is not None:
        created["digitalSourceType"] = source_type
    manifest = {
        "claim_generator_info": [{"name": tool, "version": "1.0"}],
        "title": target.name,
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [created, *more_actions]}},
        ],
    }
    info = c2pa.C2paSignerInfo(
        alg=c2pa.C2paSigningAlg.ES256,
        sign_cert=chain.certificates.encode(),
        private_key=chain.key.encode(),
        ta_url=None,
    )
    settings = c2pa.Settings.from_dict({"verify": {"verify_after_sign": False}})
    with c2pa.Signer.from_info(info) as signer, c2pa.Context(settings) as context:
        builder = c2pa.Builder(json.dumps(manifest), context)
        if remote_url is not None:
            builder.set_no_embed()
            builder.set_remote_url(remote_url)
        builder.sign_file(source, target, signer)
    return target
