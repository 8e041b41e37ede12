"""What the local server is reached by: `server.json` in its data folder, for its owner's eyes only.

The work of people lies in that folder too, so it is no cache: by default
`$XDG_DATA_HOME/edgefactory/label-studio`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from edge_runtime.contract.codec import encode
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.files import storage_errors, user_folder, write_file

ACCOUNT: Final = "server.json"


class Account(Struct, frozen=True, forbid_unknown_fields=True):
    """`server.json`: where the local server listens, and its first user's way in.

    `pictures` is the folder from which it shows pictures.
    """

    schema: Literal["label-studio-server/1"]
    url: str
    user: str
    password: str
    token: str
    pictures: str


def default_data() -> Path:
    """`edgefactory/label-studio` in `$XDG_DATA_HOME`, else in `~/.local/share`."""
    return user_folder("XDG_DATA_HOME", ".local/share") / "label-studio"


def read_account(data: Path) -> Account:
    """The account of the server whose data is in `data`.

    Raises `MissingError` when there is none, `InputError` when the file is damaged.
    """
    if not (data / ACCOUNT).is_file():
        raise MissingError(
            f"{data / ACCOUNT} is not there: start a server with `edgefactory label serve`, "
            "or name one with --url"
        )
    return read_document(data / ACCOUNT, Account)


def keep_account(data: Path, url: str) -> Account:
    """The account in `data` with this `url`, made with fresh secrets at the first time."""
    pictures = data / "files" / "pictures"
    with storage_errors(data):
        pictures.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
    if (data / ACCOUNT).is_file():
        known = read_account(data)
        user, password, token = known.user, known.password, known.token
    else:
        user = f"{os.environ.get('USER') or 'admin'}@localhost"
        password, token = secrets.token_urlsafe(18), secrets.token_hex(20)
    account = Account("label-studio-server/1", url, user, password, token, str(pictures))
    write_file(data / ACCOUNT, encode(account), mode=0o600)
    return account
