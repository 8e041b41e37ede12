"""Measures on another box, at the address where its `edge-runtime bench --listen` is."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from edge_runtime.contract import BenchResult, Engine, Host, Precision, decode, digest
from edge_runtime.errors import ContractError
from edgefactory.datasets.errors import InputError, MissingError

_MAX_ANSWER_BYTES: Final = 2**20
_CONNECT_S: Final = 10.0
_WRITE_S: Final = 60.0  # for a block of the model
_LOAD_S: Final = 300.0  # beyond `seconds`, for the box to load the model and to run it
_LONGEST_RETRY_S: Final = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class DeviceBench:
    """A `Bench` of the box at `url`, which must be given `token`.

    A measurement takes at most `seconds` there. While the box is measuring another model, it is
    asked again for at most `patience_s`; `wait` is what passes the time.
    """

    url: str
    token: str
    seconds: float = 3.0
    patience_s: float = 300.0
    wait: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        """Raises InputError for a URL that is none, or would show the token to the network."""
        _check(self.url)

    @property
    def where(self) -> str:
        """See `Bench`."""
        return self.url.rstrip("/")

    def host(self) -> Host:
        """See `Bench`."""
        return self._ask("GET", {}, None, Host)

    def measure(
        self, model: bytes, engine: Engine, precision: Precision, threads: int
    ) -> BenchResult:
        """See `Bench`."""
        asked = {
            "engine": engine,
            "precision": precision,
            "threads": str(threads),
            "seconds": f"{self.seconds:g}",
        }
        found = self._ask("POST", asked, model, BenchResult)
        measured = (found.file_sha256, found.engine, found.precision, found.threads)
        if measured != (digest(model), engine, precision, threads):
            raise InputError(f"{self.where} answers about another model than it was sent")
        return found

    def _ask(self, method: str, query: dict[str, str], body: bytes | None, kind: type[T]) -> T:
        waited = 0.0
        while True:
            response, content = self._send(method, query, body)
            if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            pause = _retry_after(response)
            waited += pause
            if waited > self.patience_s:
                raise MissingError(
                    f"{self.where} has been measuring other models for {self.patience_s:g} s; "
                    "try again later"
                )
            self.wait(pause)
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(response.status_code, content)
        try:
            return decode(content, kind, self.where)
        except ContractError as error:
            raise InputError(
                f"{self.where} does not answer as edge-runtime does: {error}"
            ) from error

    def _send(
        self, method: str, query: dict[str, str], body: bytes | None
    ) -> tuple[httpx.Response, bytes]:
        content = bytearray()
        timeout = httpx.Timeout(
            self.seconds + _LOAD_S, connect=_CONNECT_S, write=_WRITE_S, pool=_CONNECT_S
        )
        try:
            with (
                httpx.Client(
                    # The system's authorities, or those that SSL_CERT_FILE names.
                    verify=ssl.create_default_context(),
                    timeout=timeout,
                    trust_env=not _is_loopback(urlsplit(self.url).hostname or ""),
                ) as client,
                client.stream(
                    method,
                    f"{self.where}/v2/bench",
                    params=query,
                    content=body,
                    headers={"Authorization": f"Bearer {self.token}"},
                ) as response,
            ):
                for block in response.iter_bytes():
                    content += block
                    if len(content) > _MAX_ANSWER_BYTES:
                        raise InputError(
                            f"{self.where} answers more than {_MAX_ANSWER_BYTES} bytes"
                        )
        except httpx.HTTPError as error:
            raise _unreachable(self.where, error) from error
        return response, bytes(content)

    def _refusal(self, status: int, content: bytes) -> InputError:
        said = _said(content)
        if status == HTTPStatus.UNAUTHORIZED:
            return InputError(
                f"{self.where} refuses the token; give the one that its own --token-file holds"
            )
        if said is None:
            return InputError(
                f"{self.where} answers {status}, not as edge-runtime does; is `edge-runtime bench "
                "--listen` what runs there?"
            )
        return InputError(f"{self.where}: {said}")


def _unreachable(where: str, error: httpx.HTTPError) -> MissingError | InputError:
    broken = next((link for link in _chain(error) if isinstance(link, ssl.SSLError)), None)
    if isinstance(broken, ssl.SSLCertVerificationError):
        return InputError(
            f"{where} shows a certificate that is not trusted ({broken.verify_message}); let "
            "SSL_CERT_FILE name its authority's"
        )
    if broken is not None:
        return InputError(
            f"{where} does not speak TLS as it should ({broken.reason}); is it https?"
        )
    reason = str(error) or type(error).__name__
    return MissingError(
        f"{where} does not answer ({reason}); is `edge-runtime bench --listen` running there?"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _said(content: bytes) -> str | None:
    try:
        return str(msgspec.json.decode(content, type=dict[str, str])["error"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        return None


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    seconds = float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1.0
    return min(max(seconds, 1.0), _LONGEST_RETRY_S)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.port != 0 and parts.username is None and not (parts.query or parts.fragment)
    except ValueError:
        good = False
    if not good or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url!r} is no address of a device; expected https://HOST:PORT")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise InputError(f"{url} would show token and model to the network; use https")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
