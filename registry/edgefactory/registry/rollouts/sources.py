"""Where devices, reports and what was heard before come from: folders, files, a URL."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from edge_runtime.contract import Device, encode
from edge_runtime.contract.sealing import MAX_SIGNED_BYTES
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.registry.files import parse, read_bounded, write_atomic
from edgefactory.registry.rollouts.hearing import Ledger

MAX_DEVICE_BYTES = 1 << 16
MAX_LEDGER_BYTES = 64 << 20
MAX_REPORTS = 2_000_000
MAX_BODY_BYTES = 256 << 20
TIMEOUT_S = 30.0
REPORT_FILES = "*.report.json"


def read_devices(folder: Path) -> dict[str, Device]:
    """The devices whose `device.json` (any name, .json) lie in `folder` or below, by site.

    Raises MissingError when there is no such folder, InputError for two devices of one site or
    two sites of one key.
    """
    if not folder.is_dir():
        raise MissingError(
            f"{folder} is no folder; it holds the device.json of each site, from its enrolment"
        )
    devices: dict[str, Device] = {}
    keys: dict[str, str] = {}
    for path in sorted(folder.rglob("*.json")):
        device = parse(read_bounded(path, MAX_DEVICE_BYTES), Device, str(path))
        if device.site in devices:
            raise InputError(
                f"{path} is a second device of site {device.site}; keep the one in use"
            )
        if device.key in keys:
            raise InputError(f"{path}: {device.site} has the device key of {keys[device.key]}")
        devices[device.site] = device
        keys[device.key] = device.site
    return devices


def read_reports(where: str) -> Iterator[tuple[str, bytes]]:
    """The signed reports at `where`, each with where it lies: files in a folder or below
    (`*.report.json`, as an outbox has them), or a URL whose body has one on each line.

    Raises MissingError when it cannot be reached, InputError when there are too many.
    """
    if urlsplit(where).scheme in {"http", "https"}:
        yield from _lines(where)
        return
    folder = Path(where)
    if not folder.is_dir():
        raise MissingError(f"{folder} is neither a folder of reports nor an http(s) URL")
    files = (path for path in folder.rglob(REPORT_FILES) if path.is_file())
    for number, path in enumerate(sorted(files, reverse=True)):  # of each site the newest first
        if number >= MAX_REPORTS:
            raise InputError(f"{folder} holds more than {MAX_REPORTS} reports; clear old ones away")
        with path.open("rb") as file:
            yield str(path), file.read(MAX_SIGNED_BYTES + 1)


def read_ledger(path: Path) -> Ledger:
    """What was heard before; nothing when there is no file yet."""
    try:
        return parse(read_bounded(path, MAX_LEDGER_BYTES), Ledger, str(path))
    except MissingError:
        return Ledger()


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Keep `ledger`, whole or not at all."""
    write_atomic(path, encode(ledger))


def ledger_of(published: Path) -> Path:
    """Where the ledger of the tree `published` lies: beside it, since it is not for the public."""
    return published.with_name(f".{published.name}.heard.json")


def _lines(url: str) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(_body(url).splitlines(), start=1):
        if line.strip():
            yield f"{url} line {number}", line


def _body(url: str) -> bytes:
    import httpx

    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT_S, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise MissingError(f"{url}: the server answers {answer.status_code}; expected 200")
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise InputError(f"{url} is longer than {MAX_BODY_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MissingError(f"{url} cannot be read: {error or type(error).__name__}") from error
    return bytes(body)
