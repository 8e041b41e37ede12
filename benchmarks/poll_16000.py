"""Sixteen thousand sites that poll nginx: bytes of a poll, and the server's share of a core.

The tree names 62 models of three releases each, and one that the sites run. Bytes are those of
requests and answers with their heads, as nginx counts them (no TCP, no TLS), made by the runtime's
own client: `cold_bytes` is what a new site reads until it knows which release of its model to run
(metadata, rollout, not release.json, which `release_bytes` is, nor blobs), `idle_bytes` a poll that
finds nothing new, and `once_bytes` all that an update asks for then. `refreshed_bytes` is a poll
after the daily refresh. nginx runs as deploy/nginx.conf has it.

`core_share`: sites, each with a cache and a connection of its own, poll at moments drawn at random
from a shortened interval. nginx's CPU a poll (one worker, its log on), times 16,000 sites in 900 s,
is the share of a core. That is linear from the measured rate, which is stated beside the real one.
"""

import gzip
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from measured import Bound, Measured
from publish_scale import attest, fill, make_release

if TYPE_CHECKING:
    from edge_runtime.state import State

SAYS = "16,000 sites polling nginx: bytes of a poll, and the server's share of a core"

SITES: Final = 16_000
INTERVAL_S: Final = 900
MODELS: Final = 62
MODEL: Final = "model-new"  # of `make_release`
POLLS: Final = 200
SHORTENED_S: Final = 10.0
PACKAGES: Final = ("nginx", "nginx-common")

CONFIG: Final = """\
daemon off;
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  log_format bytes '$request_length $bytes_sent';
  access_log {folder}/access.log bytes;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {server}
}}
"""
SITE: Final = Path(__file__).parent.parent / "deploy" / "nginx.conf"
LISTEN: Final = "listen 127.0.0.1:8080;"
ROOT: Final = "root /srv/published;"


@dataclass(frozen=True)
class Nginx:
    """A server at work."""

    url: str
    log: Path
    worker: int

    def counted(self) -> int:
        """Bytes of all requests and answers up to now; nginx logs an answer once it is sent."""
        time.sleep(0.2)
        return sum(int(n) for line in self.log.read_text().splitlines() for n in line.split())

    def cpu_s(self) -> float:
        """CPU seconds of the worker up to now."""
        spent = Path(f"/proc/{self.worker}/schedstat").read_text().split()[0]
        return int(spent) / 1e9


def run(_full: bool, /) -> Measured:
    """Make the tree, serve it, poll it."""
    from edgefactory.registry import create_keys, init_repository, publish, refresh

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        published, keys = folder / "published", folder / "keys"
        create_keys(keys)
        root = init_repository(published, keys).read_bytes()
        fill(published, keys, MODELS)
        release = make_release(folder / "release", 1)
        attest(release, keys)
        publish(release, release / "verdict.json", keys, published)
        with _nginx(published, folder / "nginx") as server:
            _age(published)
            state = _site(server, root, folder / "site")
            sizes = _bytes(server, root, state)
            a_poll, rate = _herd(server, root, state, folder)
            refresh(keys, published)
            _age(published)
            sizes["refreshed_bytes"] = _once(server, state)
        floor = {"cold_bytes": float(_packed(published))}
    metrics = {
        **sizes,
        "core_share": round(a_poll * SITES / INTERVAL_S, 5),
        "measured_polls_per_s": round(rate, 1),
    }
    bounds = {"idle_bytes": Bound("at_most", 600), "cold_bytes": Bound("at_most", 30_000)}
    peers = {
        "server_cpu_ms_a_poll": round(1000 * a_poll, 4),
        "polls_per_s_of_16000_sites": round(SITES / INTERVAL_S, 1),
        "core_share_is": "server CPU a poll x 16000 sites / 900 s, linear from the measured rate",
    }
    return Measured(metrics, floor, bounds, peers)


def _packed(published: Path) -> int:
    """Bytes of the current metadata as small as gzip makes it, without any head of HTTP; but for
    the root that a site is enrolled with."""
    from edgefactory.registry.tree import load_tree

    tree = load_tree(published)
    names = [f"{meta.version}.{name}" for name, meta in tree.meta.items()]
    names += [f"{tree.snapshot_version}.snapshot.json", "timestamp.json"]
    files = ((published / "metadata" / name).read_bytes() for name in names)
    return sum(len(gzip.compress(data, 9)) for data in files)


def _age(published: Path) -> None:
    """Let the timestamp have been there for an hour: sites do not rely on an ETag before."""
    moment = time.time() - 3600
    os.utime(published / "metadata" / "timestamp.json", (moment, moment))


def _site(server: Nginx, root: bytes, folder: Path) -> "State":
    """A site that is enrolled, and has asked for nothing."""
    from edge_runtime.enrolment import Enrolment, enroll
    from edge_runtime.state import State

    state = State(folder)
    enroll(state, Enrolment(server.url, "branch-0001", "north", root))
    state.contents.prepare()
    return state


def _bytes(server: Nginx, root: bytes, state: "State") -> dict[str, float]:
    """What the steps of one site cost on the wire."""
    from edge_runtime.trust import Marks
    from edge_runtime.trust.http import Http
    from edge_runtime.trust.metadata import Catalogue
    from edge_runtime.trust.origin import Origin

    def site() -> Catalogue:
        return Catalogue(Origin(server.url, Http(), state.metadata), root, Marks())

    catalogue, at = site(), [server.counted()]
    catalogue.refresh()
    catalogue.block(MODEL)
    offer = catalogue.rollout(MODEL).offer
    catalogue._info(offer.release_path)
    at.append(server.counted())
    catalogue.release(MODEL, offer)
    at.append(server.counted())
    site().refresh()
    at.append(server.counted())
    names = ("cold_bytes", "release_bytes", "idle_bytes")
    steps = zip(names, at, at[1:], strict=False)
    sizes = {name: float(after - before) for name, before, after in steps}
    return {**sizes, "once_bytes": _once(server, state)}


def _once(server: Nginx, state: "State") -> float:
    """Bytes of all that an update of the site asks for, until it knows what to run."""
    from edge_runtime.asking import Asking
    from edge_runtime.trust.http import Http
    from edge_runtime.trust.origin import Origin

    origin = Origin(server.url, Http(), state.metadata)
    before = server.counted()
    asking = Asking(state, state.site(), origin, MODEL, ("cpu",), lambda *_: None, time.time)
    if asking.verified().release is None:
        raise SystemExit("the site takes no part in the rollout; nothing was measured")
    return float(server.counted() - before)


def _herd(server: Nginx, root: bytes, state: "State", folder: Path) -> tuple[float, float]:
    """CPU seconds of the server a poll, and polls a second."""
    from edge_runtime.trust import Marks
    from edge_runtime.trust.http import Http
    from edge_runtime.trust.metadata import Catalogue
    from edge_runtime.trust.origin import Origin

    caches = [folder / "sites" / str(number) for number in range(POLLS)]
    for cache in caches:
        shutil.copytree(state.metadata, cache, symlinks=True)
    moments = sorted(random.Random(0).uniform(0, SHORTENED_S) for _ in caches)
    before, started = server.cpu_s(), time.monotonic()
    for moment, cache in zip(moments, caches, strict=True):
        time.sleep(max(0.0, started + moment - time.monotonic()))
        Catalogue(Origin(server.url, Http(), cache), root, Marks()).refresh()
    seconds = time.monotonic() - started
    return (server.cpu_s() - before) / POLLS, POLLS / seconds


@contextmanager
def _nginx(published: Path, folder: Path) -> Iterator[Nginx]:
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    site = SITE.read_text(encoding="utf-8")
    site = site.replace(LISTEN, f"listen 127.0.0.1:{port};").replace(ROOT, f"root {published};")
    config.write_text(CONFIG.format(folder=folder, server=site), encoding="utf-8")
    command = [_program(folder / "debian"), "-e", str(folder / "error.log"), "-c", str(config)]
    process = subprocess.Popen(command)
    try:
        worker = _worker(process, port)
        yield Nginx(f"http://127.0.0.1:{port}", folder / "access.log", worker)
    finally:
        process.terminate()
        process.wait(30)


def _program(root: Path) -> str:
    """The installed nginx, else one out of Debian's archive."""
    from edgefactory.datasets import debian

    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        debian.unpack(PACKAGES, root)
        found = str(root / "usr" / "sbin" / "nginx")
    return found


def _worker(process: "subprocess.Popen[bytes]", port: int) -> int:
    """The one child of nginx's master, once it answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        with socket.socket() as probe:
            if children and probe.connect_ex(("127.0.0.1", port)) == 0:
                return int(children[0])
        time.sleep(0.05)
    raise SystemExit("nginx does not start")
