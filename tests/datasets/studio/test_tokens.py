"""A token comes from the environment, else from the keyring, and is never shown."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.studio import VARIABLE, find_token

URL = "https://labels.example.org"


class KeyringError(Exception):
    """The keyring's own."""


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring in memory: the real one wants a desktop session."""
    kept: dict[tuple[str, str], str] = {}

    def get_password(service: str, user: str) -> str | None:
        if not kept:
            raise KeyringError("locked")
        return kept.get((service, user))

    module, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    vars(module)["get_password"] = get_password
    vars(errors)["KeyringError"] = KeyringError
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    monkeypatch.delenv(VARIABLE, raising=False)
    return kept


def test_the_environment_comes_first(
    keyring: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring["edgefactory-label-studio", URL] = "from-the-keyring"
    assert find_token(URL) == "from-the-keyring"
    monkeypatch.setenv(VARIABLE, "from-the-environment")
    assert find_token(URL) == "from-the-environment"


def test_no_token_says_how_to_give_one(
    keyring: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring["edgefactory-label-studio", "https://elsewhere"] = "x"
    with pytest.raises(MissingError, match=f"set {VARIABLE}, or .*keyring set"):
        find_token(URL)
    monkeypatch.setitem(sys.modules, "keyring", None)  # not installed
    with pytest.raises(MissingError, match="there is no token"):
        find_token(URL)


def test_a_keyring_that_is_locked_is_one_line(keyring: dict[tuple[str, str], str]) -> None:
    with pytest.raises(MissingError, match="does not answer"):
        find_token(URL)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tök"])
def test_what_is_no_token_is_refused_and_not_repeated(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, token)
    with pytest.raises(InputError, match="is no token") as caught:
        find_token(URL)
    assert token not in str(caught.value)
