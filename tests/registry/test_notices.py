"""Notices are signed, tried again, and never the reason for a failure. Real HTTP on 127.0.0.1."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import pytest

from edgefactory.registry import AliasNotice, ReleaseNotice, notify
from edgefactory.registry import notices as module
from edgefactory.registry.notices import key, signature

from .receiving import Receiver, receiving

NOTICE = ReleaseNotice("notice/1", "cctv-person", "0.1.0", 1, "a" * 64)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server that keeps what it is sent, named by the environment."""
    with receiving(monkeypatch) as one:
        yield one


def told() -> list[str]:
    said: list[str] = []
    notify(NOTICE, said.append)
    return said


def test_a_notice_is_signed_over_id_time_and_body(receiver: Receiver) -> None:
    assert told() == []
    [body] = receiver.proven()
    assert msgspec.json.decode(body, type=ReleaseNotice | AliasNotice) == NOTICE


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks specification's libraries."""
    secret = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("busy", [500, 503, 429])
def test_a_busy_receiver_is_asked_again_with_the_same_id(receiver: Receiver, busy: int) -> None:
    receiver.answers = [busy, busy, 200]
    assert told() == []
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 3


@pytest.mark.parametrize("answer", [400, 404, 301])
def test_a_no_is_taken_for_a_no_and_no_redirection_is_followed(
    receiver: Receiver, answer: int
) -> None:
    receiver.answers = [answer]
    assert told() == [f"not told: 127.0.0.1: answered {answer}"]
    assert len(receiver.got) == 1


def test_a_receiver_that_stays_ill_is_left_without_an_error(receiver: Receiver) -> None:
    receiver.answers = [500]
    assert told() == ["not told: 127.0.0.1: answered 500, 4 times"]


def test_nobody_at_the_address_is_no_error(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEFACTORY_WEBHOOK_URL", "http://127.0.0.1:1/ file:///etc/passwd")
    connect, scheme = told()
    assert connect == "not told: 127.0.0.1: ConnectError, 4 times"
    assert scheme == "not told: None: not an http(s) address"


def test_a_receiver_that_never_answers_holds_nobody_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(module, "_deliver", lambda *_: str(release.wait()))
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    assert told() == ["not told: a receiver took longer than 0 s"]
    release.set()


@pytest.mark.parametrize("secret", ["", "whsec_not base64!"])
def test_without_a_secret_nothing_is_sent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("EDGEFACTORY_WEBHOOK_SECRET", secret)
    [said] = told()
    assert said.startswith("nobody was told: EDGEFACTORY_WEBHOOK_SECRET")
    assert receiver.got == []


def test_without_an_address_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEFACTORY_WEBHOOK_URL", raising=False)
    assert told() == []
