"""The registry on PostgreSQL and S3, as it runs beyond one machine: real servers on 127.0.0.1."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgefactory.datasets.errors import GateError
from edgefactory.registry import Move, fetch_release, move_alias, register, show
from mlflow_server import Backing, serve

from .conftest import make_line

pytestmark = [
    pytest.mark.component,
    # MLflow's own warnings are not ours to fix.
    pytest.mark.filterwarnings("ignore"),
]

MODEL = "cctv-person"
SECONDS = 120  # for a server to start, on a busy machine
DEBIAN = Path("/usr/lib/postgresql")
USER = "nobody"  # whom every system has
RACERS = 6


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs, and where their libraries are if those are not installed."""

    folder: Path
    libraries: str = ""

    def run(self, name: str, *arguments: str | Path) -> int:
        """Run one as a user that PostgreSQL accepts, which root is not; its exit code."""
        # pg_ctl's server keeps what it inherits: a pipe would never end.
        done = subprocess.run(
            [self.folder / name, *arguments],
            cwd="/",
            env=os.environ | ({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            user=USER if os.geteuid() == 0 else None,
            extra_groups=() if os.geteuid() == 0 else None,
        )
        return done.returncode


@pytest.fixture(scope="module")
def programs(debian: Callable[..., Path]) -> Programs:
    """Installed ones, else out of Debian's archive."""
    found = shutil.which("initdb")
    installed = [Path(found).parent] if found else sorted(DEBIAN.glob("*/bin"))
    if installed:
        return Programs(installed[-1])
    root = debian("postgresql")
    (folder,) = root.glob("usr/lib/postgresql/*/bin")
    libraries = [str(path) for path in root.glob("usr/lib/*-linux-*") if path.is_dir()]
    return Programs(folder, ":".join(libraries))


@pytest.fixture(scope="module")
def postgres(programs: Programs) -> Iterator[str]:
    """The address of an empty database, in a folder that no longer exists afterwards."""
    pytest.importorskip("pg8000", reason="needs the driver pg8000")
    # Not in pytest's folder, which only its own user may enter.
    folder = Path(tempfile.mkdtemp(prefix="edgefactory-postgres-"))
    password = secrets.token_hex(16)
    (folder / "password").write_text(password)
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, USER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = ("-D", folder / "data")
    made = ("-U", "line", "-A", "scram-sha-256", "--no-sync", f"--pwfile={folder / 'password'}")
    control = (*at, "-w", "-t", str(SECONDS))
    options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
    try:
        assert programs.run("initdb", *at, *made) == 0
        log = folder / "log"
        assert programs.run("pg_ctl", *control, "-l", log, "-o", options, "start") == 0
        yield f"postgresql+pg8000://line:{password}@127.0.0.1:{port}/postgres"
    finally:
        programs.run("pg_ctl", *control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What leads a server's AWS tools to an S3 of our own, with an empty bucket."""
    pytest.importorskip("moto.server", reason="needs moto[s3]")
    log = tmp_path_factory.mktemp("s3") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        port = listening(server, log)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("PUT", "/bucket")
        assert connection.getresponse().status == 200
        yield {
            "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.kill()
        server.wait()


def listening(server: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server took, which it says once it listens."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.2)
    pytest.fail(f"the S3 server did not start: {log.read_text()}")


@pytest.mark.timeout(600)
def test_a_release_goes_in_is_named_by_one_of_many_and_comes_out(
    postgres: str, bucket: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients need no credentials of S3: the server alone has them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    line = make_line(tmp_path / "line")
    versions = [f"0.{number}.0" for number in range(1, RACERS + 1)]
    backing = Backing(postgres, "s3://bucket/mlflow", bucket)
    with serve(tmp_path / "server", backing) as store:
        for number, version in enumerate(versions, start=1):
            line.build(version, number)
            register(line.release, store, verdict=line.verdict)

        def promotes(version: str) -> str:
            move = Move(MODEL, version, "champion", "a racer", expected="none")
            try:
                return version if move_alias(store, move).changed else ""
            except GateError:
                return ""

        with ThreadPoolExecutor(RACERS) as racers:
            won = [version for version in racers.map(promotes, versions) if version]
        assert [show(store, MODEL).aliases["champion"].version] == won
        fetch_release(store, MODEL, versions[-1], tmp_path / "out")
    same = {
        path.read_bytes() == (tmp_path / "out" / path.relative_to(line.release)).read_bytes()
        for path in line.release.rglob("*")
        if path.is_file()
    }
    assert same == {True}
    assert not (tmp_path / "server" / "artifacts").exists()
