"""Versions in S3, against a real server of S3's API, by the commands that people use."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edgefactory.datasets import snapshot_digest

from ..snapshots import content, item, seen, write

pytestmark = pytest.mark.component

SECONDS = 120  # for the server to start, on a busy machine
Environment = Mapping[str, str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """What leads AWS's tools to a server of our own, with an empty bucket."""
    log = tmp_path_factory.mktemp("s3") / "server.log"
    nothing = log.with_name("nothing")
    nothing.touch()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            port = _port(server, log)
            _make_bucket(port)
            yield {
                **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": str(nothing),
                "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
                "AWS_MAX_ATTEMPTS": "1",
                "EDGEFACTORY_STORE": "s3://bucket/models/yard",
                "DVC_NO_ANALYTICS": "1",
                "DVC_GLOBAL_CONFIG_DIR": str(log.with_name("config")),
                "DVC_SITE_CACHE_DIR": str(log.with_name("cache")),
            }
        finally:
            server.kill()
            server.wait()


def _port(server: "subprocess.Popen[bytes]", log: Path) -> int:
    """The port that the server took, which it says once it listens."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.2)
    pytest.fail(f"the S3 server did not start: {log.read_text()}")


def _make_bucket(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("PUT", "/bucket")
    assert connection.getresponse().status == 200
    connection.close()


def edgefactory(environment: Environment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("edgefactory")), "--json", "data", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_version_goes_to_s3_and_comes_back(environment: Environment, tmp_path: Path) -> None:
    snapshot = write(tmp_path / "snapshot", [item(n, seen()) for n in range(5)])
    dvc_file = tmp_path / "repository" / "data.dvc"
    pushed = edgefactory(environment, "push", str(snapshot), "--note", "x", "--dvc", str(dvc_file))
    assert pushed.returncode == 0, pushed.stderr
    assert json.loads(pushed.stdout)["sent"] == 6
    assert json.loads(edgefactory(environment, "push", str(snapshot)).stdout)["sent"] == 0
    (listed,) = json.loads(edgefactory(environment, "versions").stdout)["versions"]
    assert (listed["name"], listed["note"], listed["pictures"]) == ("toy", "x", 5)
    pulled = edgefactory(environment, "pull", "toy", "--out", str(tmp_path / "back"))
    assert pulled.returncode == 0, pulled.stderr
    assert snapshot_digest(tmp_path / "back") == listed["sha256"] == snapshot_digest(snapshot)
    assert (tmp_path / "back" / item(3).file).read_bytes() == content(3)
    for arguments in (
        ("init", "--no-scm", "--quiet"),
        ("remote", "add", "--default", "store", environment["EDGEFACTORY_STORE"]),
        ("pull", "--quiet"),
    ):
        command = [sys.executable, "-m", "dvc", *arguments]
        subprocess.run(command, cwd=dvc_file.parent, env=environment, check=True)
    assert snapshot_digest(dvc_file.with_suffix("")) == listed["sha256"]


@pytest.mark.parametrize(
    ("changes", "store", "says"),
    [
        ({}, "s3://no-such-bucket/x", "does not exist"),
        ({"AWS_PROFILE": "nobody"}, "s3://bucket/x", "(nobody) could not be found"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3://bucket/x", "cannot be used"),
    ],
)
def test_a_bucket_out_of_reach_is_one_line_and_3(
    environment: Environment, tmp_path: Path, changes: Environment, store: str, says: str
) -> None:
    snapshot = write(tmp_path / "snapshot", [item(1)])
    done = edgefactory({**environment, **changes}, "push", str(snapshot), "--store", store)
    assert done.returncode == 3, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert f"the store {store}" in last
    assert says in last
