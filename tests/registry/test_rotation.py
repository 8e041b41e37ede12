"""Keys change hands: by those who hold the old and the new ones, and no reader notices."""

from __future__ import annotations

import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import (
    KeyChange,
    apply_request,
    approve,
    create_key,
    create_keys,
    init_repository,
    keep_fresh,
    propose,
    propose_rotation,
    publish,
    read_public,
    read_request,
    verify_published,
)
from edgefactory.registry.keys import load_signer
from edgefactory.registry.tree import load_tree, utc_now

from .conftest import Line, attest
from .killing import killed_at
from .signing import enforce, signed


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository with its keys."""
    folder = tmp_path_factory.mktemp("rotation")
    create_keys(folder / "keys")
    init_repository(folder / "published", folder / "keys")
    return folder


@pytest.fixture
def keys(made: Path, tmp_path: Path) -> Path:
    """A copy of the keys that a test may add to."""
    return Path(shutil.copytree(made / "keys", tmp_path / "keys"))


@pytest.fixture
def published(made: Path, tmp_path: Path) -> Path:
    """A copy of the repository."""
    return Path(shutil.copytree(made / "published", tmp_path / "published"))


def root(published: Path) -> Path:
    return published / "metadata" / "1.root.json"


def change(keys: Path, role: str, old: str, new: str) -> KeyChange:
    """The change that gives the place of `old` to a new key."""
    return KeyChange(role, (read_public(create_key(keys, new, None)),), (old,))


def signers(published: Path) -> dict[str, list[str]]:
    """Who signed each role, as a site sees it."""
    chain = verify_published(published, root(published))
    return {role.role: [s.name for s in role.signers] for role in chain.roles}


def test_a_root_key_goes_and_another_comes(published: Path, keys: Path) -> None:
    request = propose_rotation(published, [change(keys, "root", "root-1", "root-4")])
    with pytest.raises(
        TrustError, match="'root' does not verify yet: 1 of 2 signatures, by root-2"
    ):
        enforce(request, published, keys, "root-2", "root-4")  # the old threshold is not met
    assert enforce(request, published, keys, "root-2", "root-3", "root-4")
    assert signers(published)["root"] == ["root-2", "root-3", "root-4"]
    assert not apply_request(published, read_request(request), keys)  # it is in force


def test_who_holds_releases_changes_and_signs_what_is_published(
    published: Path, keys: Path, line: Line
) -> None:
    line.build()
    publish(line.release, line.verdict, keys, published)
    request = propose_rotation(published, [change(keys, "releases", "line", "line-2")])
    holders = ("targets-1", "targets-3", "approver", "line-2")
    assert enforce(request, published, keys, *holders)
    assert signers(published)["releases"] == ["approver", "line-2"]
    line.build("0.2.0", 2)
    with pytest.raises(TrustError, match="not signed by a key that may sign releases"):
        propose(line.release, line.verdict, published)
    attest(line.release, line.verdict, keys, "line-2")
    request = propose(line.release, line.verdict, published)
    paths = (line.release, line.verdict, published)
    with pytest.raises(TrustError, match="may not sign 'releases'"):
        approve(request, *paths, load_signer(keys, "line"))
    for name in ("line-2", "approver"):
        request = approve(request, *paths, load_signer(keys, name))
    publish(line.release, line.verdict, keys, published, request=request)


def test_a_removed_approver_alone_leaves_too_few(published: Path, keys: Path) -> None:
    with pytest.raises(InputError, match="would have 1 keys and needs 2 signatures"):
        propose_rotation(published, [KeyChange("releases", remove=("line",))])


def test_a_rollout_key_is_replaced_and_the_rollout_signed_anew(published: Path, keys: Path) -> None:
    request = propose_rotation(published, [change(keys, "rollout", "rollout", "rollout-2")])
    assert enforce(request, published, keys, "targets-1", "targets-2")
    assert signers(published)["rollout"] == ["rollout-2"]
    (keys / "rollout.pem").unlink()
    keep_fresh(keys, published, utc_now() + timedelta(hours=30))


def test_a_key_does_not_come_twice(published: Path, keys: Path) -> None:
    for name in ("root-1", "root-2"):
        with pytest.raises(InputError, match="make a new one under another name"):
            propose_rotation(published, [KeyChange("root", (read_public(keys / f"{name}.pub"),))])
    again = read_public(create_key(keys, "root-9", None))
    with pytest.raises(InputError, match="make a new one"):
        propose_rotation(published, [KeyChange("root", (again, again))])


@pytest.mark.parametrize("role", ["root", "targets", "releases", "emergency"])
def test_what_expires_offline_is_renewed_by_its_holders(
    published: Path, keys: Path, role: str
) -> None:
    holders = {"releases": ("line", "approver")}.get(role, (f"{role}-1", f"{role}-3"))
    before = load_tree(published).root.signed.version
    assert enforce(propose_rotation(published, [], [role]), published, keys, *holders)
    assert load_tree(published).root.signed.version == before + (role == "root")


def test_what_expires_soon_is_said_and_what_has_expired_is_an_error(
    published: Path, keys: Path
) -> None:
    assert keep_fresh(keys, published).soon == {}
    assert set(keep_fresh(keys, published, utc_now() + timedelta(days=160)).soon) == {"releases"}
    with pytest.raises(
        TrustError, match=r"'releases' expired on .* `repo rotate --renew releases`"
    ):
        keep_fresh(keys, published, utc_now() + timedelta(days=181))


def test_a_request_for_another_state_is_refused(published: Path, keys: Path) -> None:
    early = propose_rotation(published, [], ["root"], utc_now() - timedelta(hours=1))
    early = signed(early, published, keys, "root-1", "root-2")
    enforce(propose_rotation(published, [], ["root"]), published, keys, "root-1", "root-2")
    with pytest.raises(TrustError, match="version 2, but the next one is 3"):
        apply_request(published, read_request(early), keys)


def test_a_request_that_expired_is_refused(published: Path, keys: Path) -> None:
    old = propose_rotation(published, [], ["root"], utc_now() - timedelta(days=366))
    with pytest.raises(TrustError, match="not in the past"):
        enforce(old, published, keys, "root-1", "root-2")


@pytest.fixture
def everything(published: Path, keys: Path) -> bytes:
    """A signed request that changes a key of each role."""
    olds = ("root-1", "targets-1", "line", "emergency-1", "rollout", "snapshot", "timestamp")
    roles = ("root", "targets", "releases", "emergency", "rollout", "snapshot", "timestamp")
    changes = [change(keys, role, old, f"{role}-n") for role, old in zip(roles, olds, strict=True)]
    request = propose_rotation(published, changes)
    holders = ("root-1", "root-2", "root-n", "targets-1", "targets-2", "targets-n", "line")
    return signed(
        request, published, keys, *holders, "releases-n", "approver", "emergency-2", "emergency-n"
    )


def test_a_kill_at_any_write_of_a_rotation_leaves_the_old_state_or_the_new(
    published: Path, keys: Path, everything: bytes
) -> None:
    request = read_request(everything)
    writes = 1
    while killed_at(writes, lambda: apply_request(published, request, keys)):
        verify_published(published, root(published))
        writes += 1
    assert writes > 7
    assert {name for names in signers(published).values() for name in names} >= {
        *("root-n", "targets-n", "releases-n", "emergency-n"),
        *("rollout-n", "snapshot-n", "timestamp-n"),
    }


def test_where_old_keys_are_lost_running_it_again_finishes_what_was_cut_off(
    published: Path, keys: Path, everything: bytes, tmp_path: Path
) -> None:
    for name in ("rollout", "snapshot", "timestamp"):
        (keys / f"{name}.pem").unlink()
    request = read_request(everything)
    for write in range(1, 100):
        tree = Path(shutil.copytree(published, tmp_path / f"tree-{write}"))
        killed = killed_at(write, partial(apply_request, tree, request, keys))
        assert apply_request(tree, request, keys) == killed
        assert signers(tree)["timestamp"] == ["timestamp-n"]
        if not killed:
            break
    assert write > 7


def test_without_the_online_keys_nothing_is_changed(
    published: Path, keys: Path, everything: bytes, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in published.rglob("*.json")}
    with pytest.raises(MissingError, match=r"-n\.pem does not exist"):
        apply_request(published, read_request(everything), tmp_path / "nowhere")
    assert {path: path.read_bytes() for path in published.rglob("*.json")} == before
