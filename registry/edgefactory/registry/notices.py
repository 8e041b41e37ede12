"""Telling others what happened here: signed webhooks, as the Standard Webhooks specification has.

`EDGEFACTORY_WEBHOOK_URL` names the receivers (several with spaces between), and
`EDGEFACTORY_WEBHOOK_SECRET` what the bodies are signed with. A delivery is a POST of one JSON
document with three headers: `webhook-id`, the same for each try, so that a receiver can leave out
what it has; `webhook-timestamp`, seconds since 1970; `webhook-signature`, "v1," and the base64 of
HMAC-SHA256 over "id.timestamp.body".

What is told of has happened already: nothing that a receiver does makes it fail.
"""

import base64
import binascii
import hashlib
import hmac
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct, json

from edge_runtime.contract.release import Count, Name, Sha256, Version

URL, SECRET = "EDGEFACTORY_WEBHOOK_URL", "EDGEFACTORY_WEBHOOK_SECRET"
PATIENCE_S = 20.0  # for all receivers together, then the caller goes on
TIMEOUT_S = 5.0  # of one try
PAUSES_S = (0.0, 0.5, 1.0, 2.0)  # before each try
AGAIN = (408, 425, 429)  # answers that ask for another try, besides 5xx
ENCODED = (
    "whsec_"  # begins a secret whose rest is base64, as the specification's libraries write it
)


class ReleaseNotice(Struct, frozen=True, tag_field="event", tag="release.published"):
    """A release that sites find from now on."""

    schema: Literal["notice/1"]
    model: Name
    version: Version
    sequence: Count
    release: Sha256


class AliasNotice(Struct, frozen=True, tag_field="event", tag="alias.moved"):
    """An alias of the registry that another version holds now; `before` is None for nobody."""

    schema: Literal["notice/1"]
    model: Name
    alias: str
    version: Version
    sequence: Count
    release: Sha256
    before: Version | None
    by: str
    reason: str = ""


@dataclass(frozen=True)
class _Delivery:
    body: bytes
    headers: Mapping[str, str]


def notify(notice: ReleaseNotice | AliasNotice, say: Callable[[str], None]) -> None:
    """Send `notice` to the receivers that the environment names, if any; `say` what did not work.

    Returns when all have answered, or after PATIENCE_S; raises nothing.
    """
    urls = os.environ.get(URL, "").split()
    if not urls:
        return
    try:
        delivery = _delivery(json.encode(notice), key(os.environ.get(SECRET, "")))
    except ValueError as error:
        say(f"nobody was told: {SECRET} {error}")
        return
    failures: list[str] = []
    work = threading.Thread(target=_deliver_all, args=(urls, delivery, failures), daemon=True)
    work.start()
    work.join(PATIENCE_S)
    if work.is_alive():
        failures.append(f"a receiver took longer than {PATIENCE_S:.0f} s")
    for failure in failures:
        say(f"not told: {failure}")


def key(secret: str) -> bytes:
    """The secret's bytes. Raises ValueError when there is none, or it is not what it says it is."""
    if not secret:
        raise ValueError("is not set, and an unsigned notice proves nothing")
    if not secret.startswith(ENCODED):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(ENCODED), validate=True)
    except binascii.Error:
        raise ValueError(f"begins with {ENCODED}, but the rest is not base64") from None


def signature(secret: bytes, delivery: str, timestamp: str, body: bytes) -> str:
    """What `webhook-signature` says for a delivery of that id and time."""
    signed = hmac.digest(secret, f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode()


def _delivery(body: bytes, secret: bytes) -> _Delivery:
    name, now = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    return _Delivery(
        body,
        {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": now,
            "webhook-signature": signature(secret, name, now, body),
        },
    )


def _deliver_all(urls: list[str], delivery: _Delivery, failures: list[str]) -> None:
    for url in urls:
        why = _deliver(url, delivery)
        if why:
            # The address may hold a token: only its host is shown.
            failures.append(f"{urlsplit(url).hostname}: {why}")


def _deliver(url: str, delivery: _Delivery) -> str:
    """Try until it is taken; why it was not, or nothing."""
    import httpx

    why = ""
    for pause in PAUSES_S:
        time.sleep(pause)
        try:
            with httpx.stream(
                "POST",
                url,
                content=delivery.body,
                headers=delivery.headers,
                timeout=TIMEOUT_S,
            ) as answer:
                status = answer.status_code
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return "not an http(s) address"
        except httpx.HTTPError as error:
            why = type(error).__name__
            continue
        if status < 300:
            return ""
        why = f"answered {status}"
        if status < 500 and status not in AGAIN:
            return why
    return f"{why}, {len(PAUSES_S)} times"
