"""Where the token of a Label Studio server comes from: the environment or the keyring.

Never from an option, which other users of the machine see, and never from a file of ours.
"""

from __future__ import annotations

import importlib
import os
from typing import Final

from edgefactory.datasets.errors import InputError, MissingError

VARIABLE: Final = "EDGEFACTORY_LABEL_STUDIO_TOKEN"
SERVICE: Final = "edgefactory-label-studio"


def find_token(url: str) -> str:
    """The access token for the server at `url`.

    The variable `EDGEFACTORY_LABEL_STUDIO_TOKEN` comes first, then the keyring's entry for the
    service `edgefactory-label-studio` and the user `url`. Raises `MissingError` when neither has
    one, `InputError` for one that no header can carry.
    """
    token = os.environ.get(VARIABLE, "") or _from_keyring(url)
    if not token:
        raise MissingError(
            f"there is no token for {url}: set {VARIABLE}, or install `keyring` and run "
            f"`keyring set {SERVICE} {url}`"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"the token for {url} is no token: it has spaces or odd characters")
    return token


def _from_keyring(url: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        return ""
    try:
        return str(keyring.get_password(SERVICE, url) or "")
    except errors.KeyringError as error:
        raise MissingError(f"the keyring does not answer ({error}); set {VARIABLE}") from error
