"""What may be opened, and that no password is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.daemon import parse_settings
from edge_runtime.decoding.source import source_of
from edge_runtime.errors import InputError

HERE = Path("/state")
WORD = st.text("abcXYZ019/?#@:[]%.-_ ", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "shown", "place"),
    [
        ("rtsp://me:secret@cam:554/one?pw=x", "rtsp://cam:554", "rtsp://cam:554/one?pw=x"),
        ("https://cam.example/live", "https://cam.example", "https://cam.example/live"),
        ("RTSPS://[fe80::1]/", "rtsps://[fe80::1]", "rtsps://[fe80::1]/"),
        ("lobby.mp4", "lobby.mp4", "file:/state/lobby.mp4"),
        ("/films/rtsp:lobby.mp4", "/films/rtsp:lobby.mp4", "file:/films/rtsp:lobby.mp4"),
    ],
)
def test_it_is_shown_without_what_may_be_a_password(text: str, shown: str, place: str) -> None:
    source = source_of(text, HERE)
    assert (source.shown, source.place) == (shown, place)
    assert "secret" not in repr(source)
    assert source.live == ("://" in text)


def test_a_camera_cannot_name_a_file_and_a_file_no_server() -> None:
    whitelist = "protocol_whitelist"
    assert "file" not in source_of("rtsp://cam", HERE).options[whitelist].split(",")
    assert "file" not in source_of("http://cam", HERE).options[whitelist].split(",")
    assert source_of("lobby.mp4", HERE).options[whitelist] == "file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither"),
        ("ftp://me:secret@cam/x", "ftp:// cannot be a source"),
        ("rtsp://me:sec/ret@cam/x", "cannot be told apart"),
        ("rtsp://me:12/secret@cam/x", "cannot be told apart"),
        ("http://", "cannot be told apart"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        source_of(text, HERE)
    assert "ret@" not in str(caught.value)
    with pytest.raises(InputError, match=rf"streams\.lobby: .*{message}") as caught:
        parse_settings(f"[streams.lobby]\nmodel = 'cctv'\nsource = '{text}'")
    assert "ret@" not in str(caught.value)


def _said(text: str) -> str:
    """All of a source that may be told, or the error."""
    try:
        source = source_of(text, HERE)
    except InputError as error:
        return str(error)
    return f"{source.shown} {source.place}"


@given(WORD, WORD, st.sampled_from(["", "/x", "/x?y", ":554/x"]))
def test_no_password_is_shown_whatever_it_holds(user: str, password: str, rest: str) -> None:
    secret = f"QQ{password}QQ"
    said = _said(f"rtsp://{user}:{secret}@cam{rest}")
    assert "QQ" not in said
    assert said.startswith(("rtsp://cam", "the host and port"))
