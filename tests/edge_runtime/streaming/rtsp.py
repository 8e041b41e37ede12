"""A real RTSP server for tests: GStreamer's, out of Debian's archive where it is not installed."""

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

SERVER: Final = Path(__file__).with_name("rtsp_server.py")
LIBRARY: Final = "libgstrtspserver-1.0.so.0"
GLIB: Final = "libglib-2.0.so.0"
# These alone, and not all that they depend on: that is 170 MB of codecs and sound.
PACKAGES: Final = (
    "libgstrtspserver-1.0-0",
    "libgstreamer-plugins-bad1.0-0",
    "libgstreamer-plugins-base1.0-0",
    "libgstreamer1.0-0",
    "liborc-0.4-0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
)
UDP, TCP = 1, 4


def gstreamer(folder: Path) -> Mapping[str, str]:
    """The environment in which the server runs; files for it come into `folder`. Skips the test
    where it cannot be had."""
    if _loads(LIBRARY):
        return {}
    from edgefactory.datasets.debian import download, run
    from edgefactory.datasets.errors import MissingError

    root = folder / "root"
    try:
        for archive in download((*PACKAGES, *([] if _loads(GLIB) else ["libglib2.0-0"])), folder):
            run(["dpkg-deb", "-x", str(archive), str(root)], 60, folder)
    except MissingError as error:
        pytest.skip(f"{PACKAGES[0]} is not installed, and cannot be fetched: {error}")
    libraries = next(root.glob(f"usr/lib/*/{LIBRARY}")).parent
    return {
        "LD_LIBRARY_PATH": str(libraries),
        "GST_PLUGIN_SYSTEM_PATH": str(libraries / "gstreamer-1.0"),
        "GST_REGISTRY": str(folder / "registry"),
        "GST_DEBUG": "0",
    }


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


class Camera:
    """An RTSP camera at `url`, on while the context is entered; it may be entered again."""

    def __init__(self, environment: Mapping[str, str], film: Path, transports: int = TCP) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._environment = {**os.environ, **environment}
        self._film, self._transports = film, transports

    @property
    def url(self) -> str:
        """Where it is, with user and password."""
        return f"rtsp://me:secret@127.0.0.1:{self.port}/lobby"

    def __enter__(self) -> "subprocess.Popen[str]":
        command = [sys.executable, str(SERVER), str(self.port), str(self._film)]
        self._process = subprocess.Popen(
            [*command, "me", "secret", str(self._transports)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            pytest.fail(f"the RTSP server does not start: {self._process.communicate()[1][-500:]}")
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # as the power goes: nobody is told goodbye
        self._process.communicate()
