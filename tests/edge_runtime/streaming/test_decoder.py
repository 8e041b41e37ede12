"""A process decodes: files at their pace, cameras as they are now; its end ends nothing else."""

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.decoding.decoder import Decoder
from edge_runtime.decoding.source import Source, source_of
from edge_runtime.errors import MissingError
from edge_runtime.streams.sources import Frame

from ..serving import Server
from .videos import HEIGHT, WIDTH, WebCamera, crossing, film

pytestmark = pytest.mark.component


def _at(server: Server) -> Source:
    return source_of(server.url.replace("//", "//me:secret@") + "/camera", Path("/"))


def _all(source: Source, fps: float) -> list[Frame]:
    found = []
    with Decoder(source, fps) as decoder:
        while (frame := decoder.next(60)) is not None:
            found.append(frame)
    return found


def _to_its_end(decoder: Decoder, seconds: float = 60) -> None:
    """Take pictures until there is one no more."""
    assert decoder.next(60) is not None
    while decoder.next(seconds) is not None:
        pass


def test_a_file_shows_the_pictures_that_were_asked_for_in_its_colours(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", 12, crossing)
    frames = _all(source_of("a.mp4", tmp_path), 10)
    assert [frame.index for frame in frames] == [0, 2, 4, 6, 8, 10]
    assert [round(frame.seconds, 3) for frame in frames] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    for frame in frames:
        assert frame.picture.shape == (HEIGHT, WIDTH, 3)
        away = frame.picture.astype(np.int16) - crossing(frame.index)
        assert np.abs(away).mean() < 4


def test_of_a_camera_the_newest_picture_is_shown(server: Server, camera: WebCamera) -> None:
    with Decoder(_at(server), 20) as decoder:
        first = decoder.next(60)
        assert first is not None
        while True:  # however long this box takes: what came meanwhile is not queued
            threading.Event().wait(0.3)
            later = decoder.next(60)
            assert later is not None
            if later.index > first.index + 1:
                break
    assert camera.connections == 1


def test_a_camera_that_falls_silent_or_ends_is_missing(server: Server, camera: WebCamera) -> None:
    camera.most, camera.hangs = 3, True
    with Decoder(_at(server), 20) as decoder, pytest.raises(MissingError, match="within 1 s"):
        _to_its_end(decoder, 1)
    camera.hangs = False
    with Decoder(_at(server), 20) as decoder, pytest.raises(MissingError) as caught:
        _to_its_end(decoder)
    assert "within" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("http://me:secret@127.0.0.1:1/x", "Connection refused"),
        ("rtsp://me:secret@127.0.0.1:1/x", "Connection refused"),
        ("none.mp4", "No such file"),
        ("odd.mp4", "Invalid data"),
        ("list.m3u8", "."),
    ],
)
def test_what_cannot_be_opened_says_why_and_no_password(
    source: str, message: str, tmp_path: Path, server: Server
) -> None:
    (tmp_path / "odd.mp4").write_bytes(b"x" * 4096)
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{server.url}/x.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(listed, encoding="utf-8")
    found = source_of(source, tmp_path)
    with Decoder(found, 5) as decoder, pytest.raises(MissingError, match=message) as caught:
        decoder.next(60)
    assert "secret" not in str(caught.value)
    assert not server.asked  # a file does not reach out


def test_a_crash_of_the_decoder_is_an_error_here(server: Server, camera: WebCamera) -> None:
    with Decoder(_at(server), 20) as decoder:
        assert decoder.next(60) is not None
        os.kill(decoder._process.pid, signal.SIGSEGV)
        with pytest.raises(MissingError, match="was ended by SIGSEGV"):
            _to_its_end(decoder)
    assert camera.connections == 1


def test_nothing_of_the_source_is_to_be_read_from_the_process(
    server: Server, camera: WebCamera
) -> None:
    with Decoder(_at(server), 20) as decoder:
        assert decoder.next(60) is not None
        process = Path(f"/proc/{decoder._process.pid}")
        assert b"secret" not in (process / "cmdline").read_bytes()
        assert b"secret" not in (process / "environ").read_bytes()
    assert camera.connections == 1
