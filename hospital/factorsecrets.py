"""How the secrets of second factors lie in the database: encrypted, under the signing key.

A copy of the database alone opens no account. After the signing key was rotated, what was kept
under the old one is read with it as long as it is a fallback, and is written anew before it goes.
"""

from __future__ import annotations

import base64
import logging
import secrets

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.utils.encoding import force_bytes

log = logging.getLogger(__name__)
# Where the secrets stand in an authenticator's data. A passkey's is a public key, and none.
_SECRETS = ("secret", "seed")


class EncryptedSecrets(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Encrypts what opens an account."""

    def encrypt(self, text: str) -> str:
        """Encrypt under the signing key of now."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Read with the key of now or a fallback.

        What no key reads is no reason to open: a random secret takes its place, which no code fits.
        """
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.warning("a second factor was kept under a signing key that is gone: reset it")
            return base64.b32encode(secrets.token_bytes(20)).decode()


def keep_anew() -> int:
    """Encrypt every secret under the signing key of now; returns how many. Raises InvalidToken."""
    count = 0
    with transaction.atomic():
        for one in Authenticator.objects.select_for_update():
            held = [name for name in _SECRETS if name in one.data]
            for name in held:
                one.data[name] = _box().rotate(one.data[name].encode()).decode()
            if held:
                one.save(update_fields=["data"])
                count += 1
    return count


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str | bytes) -> bytes:
    hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"vigil: second factors")
    return base64.urlsafe_b64encode(hkdf.derive(force_bytes(key)))
