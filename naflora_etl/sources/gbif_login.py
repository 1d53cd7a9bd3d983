"""Who we are at GBIF: from the environment or the system's keyring, never from a recipe, never written anywhere."""

from __future__ import annotations

import base64
import importlib
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from naflora_etl.engine.addresses import is_loopback
from naflora_etl.engine.faults import Fault

KEYRING_SERVICE = "gbif"


@dataclass(frozen=True)
class Login:
    """An account at GBIF; its repr says nothing."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    email: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """Return the header of basic authentication (RFC 7617)."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


def find_login(api: str) -> Login:
    """Return the account of GBIF_USER, GBIF_PWD and GBIF_EMAIL; the password may lie in the keyring as `gbif`.

    Raises Fault where there is none, or where it would go to `api` in the open.
    """
    place = urlsplit(api)
    if place.scheme != "https" and not is_loopback(place.hostname or ""):
        raise Fault(f"harvest.gbif_api is {api}: a password would be sent there in the open; write https.")
    user, email = os.environ.get("GBIF_USER", ""), os.environ.get("GBIF_EMAIL", "")
    password = os.environ.get("GBIF_PWD") or (_from_keyring(user) if user else "")
    given = {"GBIF_USER": user, "GBIF_PWD": password, "GBIF_EMAIL": email}
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise Fault(
            f"GBIF prepares downloads for its users alone, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set in the environment; set GBIF_USER, GBIF_PWD (or "
            f"`keyring set {KEYRING_SERVICE} USER`) and GBIF_EMAIL, or write harvest.gbif = \"search\"."
        )
    if "@" in user:
        raise Fault("GBIF_USER is an e-mail address; GBIF wants the user name of the account.")
    return Login(user, password, email)


def _from_keyring(user: str) -> str:
    """Return the password out of the system's keyring; empty where there is no keyring, or nothing in it."""
    try:
        found = importlib.import_module("keyring").get_password(KEYRING_SERVICE, user)
    except Exception:  # no keyring, a locked one, a broken backend: all mean that there is no password
        return ""
    return found or ""
