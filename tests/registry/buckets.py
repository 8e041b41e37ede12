"""An S3 of our own on 127.0.0.1, to which AWS's tools are led."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def bucket_server(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> Iterator[None]:
    """A server with one empty bucket, called "bucket". `nowhere` is a path where nothing is."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    # What it says of each request would go to the stderr of a command that a test calls.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(nowhere),
        "AWS_SHARED_CREDENTIALS_FILE": str(nowhere),
        "AWS_MAX_ATTEMPTS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for path in ("moto-api/reset", "bucket"):
        method = "POST" if path.startswith("moto") else "PUT"
        request = urllib.request.Request(f"{endpoint}/{path}", method=method)  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310 (it is http, on the loopback)
    yield
    server.stop()
