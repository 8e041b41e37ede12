"""`daemon.toml`: all may be left out, nothing may be misspelt."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.daemon import ModelSettings, Settings, only, parse_settings, read_settings
from edge_runtime.daemon.settings import StreamSettings
from edge_runtime.errors import InputError


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "daemon.toml") == Settings()
    assert parse_settings("") == Settings()


def test_everything_can_be_said() -> None:
    found = parse_settings(
        '[models.cctv]\nengine = "openvino"\nthreads = 2\n[poll]\ninterval_s = 60\n'
        "[shadow]\nleast = 10\n[dwell]\nlatency_ms = 20\n[crash]\nstarts = 5\n"
    )
    assert found.models == {"cctv": ModelSettings("openvino", 2)}
    assert (found.poll.interval_s, found.shadow.least) == (60, 10)
    assert (found.dwell.latency_ms, found.crash.starts) == (20, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pol]\ninterval_s = 60", r"unknown field `pol`.*did you mean `poll`"),
        ("[poll]\ninterval = 60", r"unknown field `interval`.*did you mean `interval_s`"),
        ("[models.a]\nthread = 1", r"did you mean `threads`"),
        ("[poll]\ninterval_s = 0", r"\$\.poll\.interval_s"),
        ("[poll]\ninterval_s = '1m'", r"Expected `float`, got `str`"),
        ('[models.a]\nengine = "caffe"', r"Invalid enum value 'caffe'"),
        ("[shadow]\naccept = 0.5", r"accept must be below"),
        ("[shadow]\nleast = 2000", r"least must not be above"),
        ("[poll", r"not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_settings(text)


def test_streams_have_a_source_and_a_model() -> None:
    text = "[streams.lobby]\nsource = 'rtsp://cam/1'\nmodel = 'cctv'\n{}"
    found = parse_settings(text.format("line = '1,2,3,4'"))
    assert found.streams == {"lobby": StreamSettings("rtsp://cam/1", "cctv", line="1,2,3,4")}
    with pytest.raises(InputError, match=r"streams\.lobby: line '1,2' is not x0,y0,x1,y1"):
        parse_settings(text.format("line = '1,2'"))
    with pytest.raises(InputError, match=r"did you mean `silent_s`"):
        parse_settings(text.format("silence_s = 3"))
    with pytest.raises(InputError, match=r"`str` matching"):
        parse_settings("[streams.'../x']\nsource = 'a'\nmodel = 'b'")


def test_only_one_model_and_its_streams() -> None:
    text = "[models.a]\nthreads = 2\n[models.b]\n"
    text += "".join(f"[streams.{m}]\nsource = 'rtsp://cam'\nmodel = '{m}'\n" for m in "abc")
    found = only(parse_settings(text), "a", 4)
    assert found.models == {"a": ModelSettings(threads=2)}
    assert [*found.streams] == ["a", "c"]  # nobody knows c: the daemon says so
    assert only(parse_settings(text), "d", 4).models == {"d": ModelSettings(threads=4)}


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "daemon.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"daemon\.toml"):
        read_settings(path)


@given(st.text(max_size=200))
def test_any_text_is_settings_or_an_input_error(text: str) -> None:
    try:
        found = parse_settings(text)
    except InputError:
        return
    assert isinstance(found, Settings)
