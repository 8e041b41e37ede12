"""Nobody is led to sign what no command of ours asks for, whoever made the request."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.errors import InputError, TrustError
from edgefactory.registry import (
    Ban,
    KeyChange,
    create_key,
    init_repository,
    merge,
    propose_ban,
    propose_rotation,
    publish,
    read_public,
    read_request,
    review,
)
from edgefactory.registry.tree import Tree, load_tree, utc_now

from .conftest import Line, make_line
from .signing import enforce, signed


@pytest.fixture(scope="module")
def made(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Line:
    """A line with a published release."""
    line = make_line(tmp_path_factory.mktemp("review") / "line", keys=keys)
    line.build()
    init_repository(line.published, keys)
    publish(line.release, line.verdict, keys, line.published)
    return line


@pytest.fixture
def published(made: Line, tmp_path: Path) -> Path:
    """A copy of the tree."""
    return Path(shutil.copytree(made.published, tmp_path / "published"))


def reviewed(request: bytes, published: Path) -> str:
    return "\n".join(review(read_request(request), load_tree(published), utc_now()))


def test_a_rotation_is_said_in_words(published: Path, tmp_path: Path) -> None:
    public = read_public(create_key(tmp_path, "root-4", None))
    request = propose_rotation(published, [KeyChange("root", (public,), ("root-1",))])
    said = reviewed(request, published)
    assert said.startswith("root 2, until ")
    assert "root (2 of 3): adds root-4 (" in said
    assert "root (2 of 3): takes away root-1 (" in said


@pytest.mark.parametrize("how", ["block", "revoke"])
def test_a_ban_is_said_in_words(published: Path, how: Any) -> None:
    said = reviewed(propose_ban(published, Ban("cctv-person", "0.1.0", "it lies", how)), published)
    expected = {"block": "blocked [0-9a-f]{12}…: it lies", "revoke": "at least sequence 2: it lies"}
    assert re.search(expected[how], said)


def root_of(document: dict[str, Any]) -> Any:
    return document["metadata"]["root"]["signed"]


def targets_of(document: dict[str, Any]) -> Any:
    return document["metadata"]["targets"]["signed"]


def lower_threshold(document: dict[str, Any]) -> None:
    root_of(document)["roles"]["root"]["threshold"] = 1


def lower_releases(document: dict[str, Any]) -> None:
    role = next(r for r in targets_of(document)["delegations"]["roles"] if r["name"] == "releases")
    role["threshold"] = 1


def widen_rollout(document: dict[str, Any]) -> None:
    role = next(r for r in targets_of(document)["delegations"]["roles"] if r["name"] == "rollout")
    role["paths"] = ["*/*", "releases/*/*/release.json"]


def delegate_anew(document: dict[str, Any]) -> None:
    roles = targets_of(document)["delegations"]["roles"]
    roles.insert(0, {**roles[0], "name": "more"})


def drop_emergency(document: dict[str, Any]) -> None:
    delegations = targets_of(document)["delegations"]
    delegations["roles"] = [r for r in delegations["roles"] if r["name"] != "emergency"]


def sign_a_file(document: dict[str, Any]) -> None:
    files = {"evil.json": {"length": 1, "hashes": {"sha256": "0" * 64}}}
    targets_of(document)["targets"] = files


def live_for_ever(document: dict[str, Any]) -> None:
    root_of(document)["expires"] = "2999-01-01T00:00:00Z"


def jump(document: dict[str, Any]) -> None:
    root_of(document)["version"] = 900


def flatten(document: dict[str, Any]) -> None:
    root_of(document)["consistent_snapshot"] = False


def count_a_key_twice(document: dict[str, Any]) -> None:
    signed = root_of(document)
    first = signed["roles"]["root"]["keyids"][0]
    signed["keys"]["f" * 64] = signed["keys"][first]
    signed["roles"]["root"]["keyids"].append("f" * 64)


def name_no_key(document: dict[str, Any]) -> None:
    root_of(document)["roles"]["root"]["keyids"].append("f" * 64)


def let_releases_delegate(document: dict[str, Any]) -> None:
    signed = document["metadata"]["releases"]["signed"]
    signed["delegations"] = targets_of(document)["delegations"]


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lower_threshold, "more in the root than its keys"),
        (flatten, "more in the root than its keys"),
        (lower_releases, "more in the delegations than keys"),
        (widen_rollout, "more in the delegations than keys"),
        (delegate_anew, "more in the delegations than keys"),
        (drop_emergency, "more in the delegations than keys"),
        (sign_a_file, "puts files under 'targets'"),
        (count_a_key_twice, "one key twice"),
        (name_no_key, "is not whole"),
        (live_for_ever, "expected at most 365 days"),
        (jump, "version 900, but the next one is 2"),
        (let_releases_delegate, "makes 'releases' delegate"),
    ],
)
def test_what_no_command_asks_for_is_refused(
    published: Path, tamper: Callable[[dict[str, Any]], None], says: str
) -> None:
    request = propose_rotation(published, [], ["root", "targets", "releases", "emergency"])
    document = json.loads(request)
    tamper(document)
    with pytest.raises(TrustError, match=says):
        reviewed(json.dumps(document).encode(), published)


def test_a_release_is_not_renewed_into_force(made: Line, published: Path, keys: Path) -> None:
    """A renewal with one release more is for `release approve`, which looks at the release."""
    document = json.loads(propose_rotation(published, [], ["releases"]))
    targets = document["metadata"]["releases"]["signed"]["targets"]
    (path,) = targets
    targets[path.replace("0.1.0", "9.9.9")] = targets[path]
    with pytest.raises(TrustError, match="`release publish` puts it into force"):
        enforce(json.dumps(document).encode(), published, keys, "line", "approver")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["files"].clear(), "not those that its metadata names"),
        (lambda d: d["files"].update({"block/x.json": "{}"}), "not those that its metadata names"),
        (
            lambda d: d["files"].update(
                {"block/cctv-person.json": d["files"]["block/cctv-person.json"] + " "}
            ),
            "is not what its metadata names",
        ),
        (
            lambda d: d["metadata"]["emergency"]["signed"]["targets"].clear(),
            "not those that its metadata names",
        ),
    ],
)
def test_a_block_list_is_what_its_metadata_names(
    published: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    document = json.loads(propose_ban(published, Ban("cctv-person", "0.1.0", "bad", "block")))
    change(document)
    with pytest.raises(TrustError, match=says):
        reviewed(json.dumps(document).encode(), published)


def test_a_block_list_is_never_dropped(published: Path, keys: Path) -> None:
    request = propose_ban(published, Ban("cctv-person", "0.1.0", "bad", "block"))
    enforce(request, published, keys, "emergency-1", "emergency-2")
    document = json.loads(propose_rotation(published, [], ["emergency"]))
    document["metadata"]["emergency"]["signed"]["targets"].clear()
    with pytest.raises(TrustError, match="never dropped"):
        reviewed(json.dumps(document).encode(), published)


def test_what_is_banned_is_not_banned_again(published: Path, keys: Path) -> None:
    for how in ("block", "revoke"):
        ban = Ban("cctv-person", "0.1.0", "bad", how)
        enforce(propose_ban(published, ban), published, keys, "emergency-1", "emergency-2")
        with pytest.raises(InputError, match="already"):
            propose_ban(published, ban)


def test_copies_are_merged_and_others_are_not(published: Path, keys: Path) -> None:
    request = propose_rotation(published, [], ["root"])
    copies = [signed(request, published, keys, name) for name in ("root-1", "root-2")]
    assert enforce(merge([*copies, request]), published, keys)
    other = propose_rotation(published, [], ["root"], utc_now() - timedelta(days=3))
    with pytest.raises(InputError, match="do not ask for the same"):
        merge([request, other])


@settings(max_examples=30)
@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_garbage_is_no_request(data: bytes) -> None:
    with pytest.raises(InputError):
        read_request(data)


@pytest.fixture(scope="module")
def request_and_tree(made: Line) -> tuple[bytes, Tree]:
    """A request and the tree that it is for."""
    return propose_rotation(made.published, [], ["root", "targets"]), load_tree(made.published)


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_request_is_refused_as_such(
    request_and_tree: tuple[bytes, Tree], data: st.DataObject
) -> None:
    request, tree = request_and_tree
    start = data.draw(st.integers(0, len(request) - 1))
    end = data.draw(st.integers(start, min(len(request), start + 40)))
    changed = request[:start] + data.draw(st.binary(max_size=8)) + request[end:]
    with contextlib.suppress(InputError, TrustError):  # anything else is a defect of ours
        review(read_request(changed), tree, utc_now())
