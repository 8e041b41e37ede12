"""deploy/nginx.conf behind a real nginx: packed metadata, ETags, blobs by range."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.enrolment import Enrolment, enroll
from edge_runtime.state import State
from edge_runtime.trust.http import Http
from edge_runtime.update import Wish, once

from .publishing import Publisher
from .registering import built

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SITE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
CONFIG = """
daemon off; worker_processes 1; user root; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  log_format asked '$request_uri $status $sent_http_content_encoding';
  access_log {folder}/access.log asked;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  {site}
}}
"""

pytestmark = [
    pytest.mark.component,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    """The base URL of `tmp_path/published`, served as deploy/nginx.conf says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    site = SITE.read_text(encoding="utf-8")
    for old, new in (("127.0.0.1:8080", f"127.0.0.1:{port}"), ("/srv", str(tmp_path))):
        assert site.count(old) == 1
        site = site.replace(old, new)
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(folder=tmp_path, site=site), encoding="utf-8")
    assert NGINX is not None
    process = subprocess.Popen([NGINX, "-e", str(tmp_path / "error.log"), "-c", str(config)])
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_a_site_behind_nginx_reads_packed_metadata_and_asks_one_question_then(
    nginx: str, tmp_path: Path
) -> None:
    publisher = Publisher(tmp_path / "published")
    publisher.publish(built(1))
    timestamp = tmp_path / "published" / "metadata" / "timestamp.json"
    os.utime(timestamp, (timestamp.stat().st_atime, timestamp.stat().st_mtime - 3600))
    state = State(tmp_path / "state")
    enroll(state, Enrolment(nginx, "branch-0001", "north", publisher.root))
    log = tmp_path / "access.log"

    def update() -> tuple[str, list[str]]:
        before = len(log.read_text().splitlines())
        found = once(state, Wish("squares"), lambda *_: None, Http(timeout=5)).outcome
        return found, log.read_text().splitlines()[before:]

    outcome, asked = update()
    assert outcome == "activated"
    assert "/metadata/timestamp.json 200 gzip" in asked
    assert "/metadata/2.releases.json 200 gzip" in asked
    assert {line.split(" ", 1)[1] for line in asked if line.startswith("/blobs/")} == {"200 -"}
    assert update() == ("current", ["/metadata/timestamp.json 304 -"])
