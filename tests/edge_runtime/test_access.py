"""Without a token nobody is answered, and without TLS nobody from another machine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.access import Access, access
from edge_runtime.errors import InputError, MissingError

from .certificates import self_signed

KNOCK = "a-token-of-some-length"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(KNOCK + "\n")
    return path


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8900", "127.0.0.1", 8900),
        ("[::1]:0", "::1", 0),
        ("127.0.0.2:1", "127.0.0.2", 1),
        ("localhost:80", "localhost", 80),
    ],
)
def test_loopback_needs_no_tls(token_file: Path, listen: str, host: str, port: int) -> None:
    found = access(listen, token_file, None, None)
    assert (found.host, found.port, found.token, found.tls) == (host, port, KNOCK, None)


@pytest.mark.parametrize("listen", ["0.0.0.0:8900", "[::]:8900", "192.0.2.1:8900"])
def test_beyond_loopback_tls_is_demanded(token_file: Path, tmp_path: Path, listen: str) -> None:
    with pytest.raises(InputError, match="give --tls-cert and --tls-key"):
        access(listen, token_file, None, None)
    cert, key = self_signed(tmp_path)
    assert access(listen, token_file, cert, key).tls is not None


def test_a_certificate_needs_its_key(token_file: Path, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    with pytest.raises(InputError, match="belong together"):
        access("127.0.0.1:1", token_file, cert, None)
    with pytest.raises(InputError, match="are no certificate and its key"):
        access("127.0.0.1:1", token_file, key, token_file)


@pytest.mark.parametrize("listen", ["", "8900", "127.0.0.1", ":8900", "127.0.0.1:x", "h:70000"])
def test_an_address_is_host_and_port(token_file: Path, listen: str) -> None:
    with pytest.raises(InputError, match="is not of the form HOST:PORT"):
        access(listen, token_file, None, None)


@pytest.mark.parametrize("token", ["", "short", "with a space in the middle", "ümläut" * 4])
def test_a_token_that_protects_nothing_is_refused(tmp_path: Path, token: str) -> None:
    path = tmp_path / "token"
    path.write_text(token)
    with pytest.raises(InputError, match="holds no token"):
        access("127.0.0.1:1", path, None, None)


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"gone does not exist; expected the token"):
        access("127.0.0.1:1", tmp_path / "gone", None, None)


@given(st.text())
def test_only_the_token_is_admitted(said: str) -> None:
    door = Access("127.0.0.1", 0, KNOCK)
    assert door.admits(said) is (said == f"Bearer {KNOCK}")
    assert door.admits(f"Bearer {KNOCK}")
