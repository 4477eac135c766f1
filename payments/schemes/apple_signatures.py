"""Whether Apple signed a payment token: its CMS signature up to the pinned root, and how long ago.

The steps are Apple's ("Restore the symmetric key", payment token format reference), each with the name that a
refusal logs. A root that comes with the token is never believed.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from payments.refusals import PaymentTokenExpired, PaymentTokenInvalid
from payments.schemes import cms
from payments.schemes.apple_tokens import AppleToken
from payments.schemes.ber import Malformed
from payments.schemes.contract import FRESH_FOR_S

LEAF_MARKER = x509.ObjectIdentifier("1.2.840.113635.100.6.29")
INTERMEDIATE_MARKER = x509.ObjectIdentifier("1.2.840.113635.100.6.2.14")

ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSA_WITH_SHA256 = "1.2.840.113549.1.1.11"

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def verify_signature(token: AppleToken, *, roots: Sequence[x509.Certificate], now: datetime) -> datetime:
    """Verify the token's signature and give its signing time.

    `roots` are the certificates that the chain may end at. Refuses with PaymentTokenInvalid, and with
    PaymentTokenExpired what Apple has signed at another time than now.
    """
    try:
        signature = cms.read_signature(token.signature)
    except Malformed:
        raise PaymentTokenInvalid("signature_structure") from None
    leaf, intermediate = _told_apart(signature.certificates)
    _check_chain(leaf, intermediate, roots)
    _check_signer(signature, leaf)
    if signature.digest_algorithm != cms.SHA256:
        raise PaymentTokenInvalid("digest_algorithm")
    if signature.content_type != cms.DATA:
        raise PaymentTokenInvalid("content_type")
    if not hmac.compare_digest(signature.message_digest, sha256(token.signed_content).digest()):
        raise PaymentTokenInvalid("message_digest")
    _check_value(signature, leaf)
    for certificate in (leaf, intermediate):
        if not certificate.not_valid_before_utc <= signature.signed_at <= certificate.not_valid_after_utc:
            raise PaymentTokenInvalid("certificate_validity")
    if abs((now - signature.signed_at).total_seconds()) > FRESH_FOR_S:
        raise PaymentTokenExpired("signing_time")
    return signature.signed_at


def _told_apart(encoded: Sequence[bytes]) -> tuple[x509.Certificate, x509.Certificate]:
    """Tell the leaf and the intermediate by the extensions that mark them; only their presence matters."""
    if len(encoded) != 2:
        raise PaymentTokenInvalid("certificate_count")
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in encoded]
        leaves = [each for each in certificates if _has(each, LEAF_MARKER)]
        intermediates = [each for each in certificates if _has(each, INTERMEDIATE_MARKER)]
    except _UNREADABLE:
        raise PaymentTokenInvalid("certificate_encoding") from None
    if len(leaves) != 1 or len(intermediates) != 1 or leaves[0] is intermediates[0]:
        raise PaymentTokenInvalid("certificate_markers")
    return leaves[0], intermediates[0]


def _has(certificate: x509.Certificate, marker: x509.ObjectIdentifier) -> bool:
    return any(extension.oid == marker for extension in certificate.extensions)


def _check_chain(
    leaf: x509.Certificate, intermediate: x509.Certificate, roots: Sequence[x509.Certificate]
) -> None:
    if not any(_issued(intermediate, root) for root in roots):
        raise PaymentTokenInvalid("intermediate_issuer")
    try:
        is_authority = intermediate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise PaymentTokenInvalid("intermediate_authority")
    if not _issued(leaf, intermediate):
        raise PaymentTokenInvalid("leaf_issuer")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _check_signer(signature: cms.Signature, leaf: x509.Certificate) -> None:
    if (signature.issuer, signature.serial_number) != (leaf.issuer.public_bytes(), leaf.serial_number):
        raise PaymentTokenInvalid("signer")


def _check_value(signature: cms.Signature, leaf: x509.Certificate) -> None:
    try:
        key = leaf.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and signature.signature_algorithm == ECDSA_WITH_SHA256:
            key.verify(signature.value, signature.signed_attributes, ec.ECDSA(SHA256()))
        elif isinstance(key, rsa.RSAPublicKey) and signature.signature_algorithm in (
            RSA_ENCRYPTION,
            RSA_WITH_SHA256,
        ):
            key.verify(signature.value, signature.signed_attributes, padding.PKCS1v15(), SHA256())
        else:
            raise PaymentTokenInvalid("signature_algorithm")
    except (InvalidSignature, *_UNREADABLE):
        raise PaymentTokenInvalid("signature_value") from None
