"""Two people and an operator, each with keys of their own, by the commands that they would type."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgefactory.pipelines import main
from edgefactory.pipelines.signing import read_requests
from edgefactory.registry import publish as put
from edgefactory.registry import verify_published
from edgefactory.registry.keys import KEY_NAMES, ONLINE_KEYS
from edgefactory.registry.signers import PASSPHRASE

from ..registry.conftest import Line, make_line

Run = Callable[..., dict[str, object]]
OFFLINE = [name for name in KEY_NAMES if name not in ONLINE_KEYS]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `edgefactory`; what it said as JSON, or its one line on stderr when it failed."""

    def run(*arguments: object, code: int = 0) -> dict[str, object]:
        capfd.readouterr()
        found = main(["--json", *map(str, arguments)])
        said = capfd.readouterr()
        assert found == code, said.err
        return json.loads(said.out) if code == 0 else {"error": said.err.splitlines()[-1]}

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`people`, a folder of keys for each of them, and a repository that their ceremony made."""
    folder = tmp_path_factory.mktemp("made")
    people, published = folder / "people", folder / "published"
    for name in OFFLINE:
        assert main(["keys", "create", name, "--keys", str(people / name)]) == 0
    operator = str(people / "operator")
    assert main(["keys", "create", *ONLINE_KEYS, "--keys", operator]) == 0
    (folder / "public").mkdir()
    for path in people.rglob("*.pub"):
        shutil.copy(path, folder / "public")
    request, tree = str(folder / "init.json"), ("--published", str(published))
    assert main(["repo", "init", str(folder / "public"), *tree, "--out", request]) == 0
    holders = ("root-1", "root-3", "targets-2", "targets-3", "line", "approver")
    for name in (*holders, "emergency-1", "emergency-2"):
        assert main(["repo", "apply", request, *tree, "--keys", operator]) == 5
        key = ("--key", str(people / name / f"{name}.pem"))
        assert main(["repo", "sign", request, *tree, *key]) == 0
    assert main(["repo", "apply", request, *tree, "--keys", operator]) == 0
    before = {path: path.read_bytes() for path in published.rglob("*.json")}
    assert main(["repo", "apply", request, *tree, "--keys", operator]) == 0
    assert {path: path.read_bytes() for path in published.rglob("*.json")} == before
    return folder


@pytest.fixture
def people(made: Path) -> Path:
    """The folders of keys, one a person, and the operator's."""
    return made / "people"


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's machine, with the repository, and no offline key."""
    here = tmp_path / "operator"
    shutil.copytree(made / "published", here / "published")
    monkeypatch.chdir(here)
    return here


def sign(run: Run, people: Path, request: str, name: str) -> None:
    run("repo", "sign", request, "--key", people / name / f"{name}.pem")


def root(here: Path) -> Path:
    return here / "published" / "metadata" / "1.root.json"


def approve(run: Run, people: Path, line: Line, request: Path, who: str) -> dict[str, object]:
    key = ("--key", people / who / f"{who}.pem")
    paths = ("--release", line.release, "--verdict", line.verdict, "--published", "published")
    return run("release", "approve", request, *paths, *key)


@pytest.fixture
def line(here: Path, people: Path, run: Run) -> Line:
    """A release, proposed and approved by two on copies of the request, published."""
    line = make_line(here)
    line.build()
    paths = ("--release", line.release, "--verdict", line.verdict)
    assert "nobody has signed for the training" in str(
        run("release", "propose", *paths, code=5)["error"]
    )
    run("release", "attest", *paths, "--key", people / "line" / "line.pem")
    run("release", "propose", *paths)
    request = here / "release.request.json"
    copy = Path(shutil.copy(request, here / "copy.json"))
    assert "1 of 2" in str(approve(run, people, line, request, "approver")["lacks"])
    approve(run, people, line, copy, "line")
    return line


def publish(line: Line, people: Path, *requests: Path) -> None:
    signed = read_requests([str(path) for path in requests])
    put(line.release, line.verdict, people / "operator", line.published, request=signed)


def test_two_people_approve_on_copies_and_nobody_has_the_others_key(
    here: Path, people: Path, line: Line
) -> None:
    publish(line, people, here / "release.request.json", here / "copy.json")
    chain = verify_published(here / "published", root(here))
    assert [r.model for r in chain.releases] == ["cctv-person"]
    by = {role.role: [s.name for s in role.signers] for role in chain.roles}
    assert by["root"] == ["root-1", "root-3"]
    assert by["releases"] == ["approver", "line"]
    assert by["emergency"] == ["emergency-1", "emergency-2"]


def test_what_is_asked_and_signed_twice_changes_nothing(
    here: Path, people: Path, line: Line, run: Run
) -> None:
    request = here / "release.request.json"
    signed = request.read_bytes()
    propose = ("release", "propose", "--release", line.release, "--verdict", line.verdict)
    assert run(*propose)["changed"] is False
    approve(run, people, line, request, "approver")
    assert request.read_bytes() == signed
    publish(line, people, request, here / "copy.json")
    assert run(*propose, "--out", "again.json")["changed"] is False
    assert approve(run, people, line, here / "again.json", "line")["changed"] is False
    assert not (here / "again.json").exists()


def test_a_release_is_blocked_by_two_emergency_keys(
    here: Path, people: Path, line: Line, run: Run
) -> None:
    publish(line, people, here / "release.request.json", here / "copy.json")
    what = ("release", "block", "cctv-person@0.1.0", "--reason", "counts shadows")
    assert run(*what)["changed"]
    assert not run(*what)["changed"]
    other = ("release", "block", "cctv-person@0.1.0", "--reason", "something else")
    assert "asks for something else and may bear" in str(run(*other, code=2)["error"])
    asks = run("repo", "sign", "block.request.json")
    assert "counts shadows" in str(asks["asks"])
    sign(run, people, "block.request.json", "emergency-3")
    run("repo", "apply", "block.request.json", "--keys", people / "operator", code=5)
    sign(run, people, "block.request.json", "emergency-1")
    run("repo", "apply", "block.request.json", "--keys", people / "operator")
    (release,) = verify_published(here / "published", root(here)).releases
    assert release.blocked == "blocked: counts shadows"
    paths = ("--release", line.release, "--verdict", line.verdict, "--out", "again.json")
    error = run("release", "propose", *paths, code=5)["error"]
    assert "may not run: blocked: counts shadows" in str(error)


def test_root_is_rotated_by_old_and_new_holders(here: Path, people: Path, run: Run) -> None:
    run("keys", "create", "root-4", "--keys", here)
    public = here / "root-4.pub"
    change = ("--add", f"root={public}", "--remove", "root=root-1")
    assert run("repo", "rotate", *change)["roles"] == ["root"]
    run("repo", "sign", "rotate.request.json", "--key", here / "root-4.pem")
    sign(run, people, "rotate.request.json", "root-3")
    error = run("repo", "apply", "rotate.request.json", "--keys", people / "operator", code=5)
    assert "1 of 2 signatures, by root-3" in str(error)  # of the old root's keys
    sign(run, people, "rotate.request.json", "root-1")
    run("repo", "apply", "rotate.request.json", "--keys", people / "operator")
    assert (here / "published" / "metadata" / "2.root.json").is_file()
    verify_published(here / "published", root(here))


def test_a_refresh_twice_changes_nothing(here: Path, people: Path, run: Run) -> None:
    before = {path: path.read_bytes() for path in (here / "published").rglob("*.json")}
    answer = run("repo", "refresh", "--keys", people / "operator")
    assert (answer["changed"], answer["soon"]) == (False, {})
    assert {path: path.read_bytes() for path in (here / "published").rglob("*.json")} == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("keys", "show", "env:NO_SUCH_KEY"), 3, "'NO_SUCH_KEY' is not set"),
        (("keys", "show", "nowhere.pem"), 3, "does not exist"),
        (("repo", "rotate"), 2, "nothing to do"),
        (("repo", "rotate", "--renew", "snapshot"), 2, "`repo refresh` renews"),
        (("repo", "rotate", "--remove", "root"), 2, "is not of the form ROLE="),
        (("repo", "rotate", "--remove", "root=root-9"), 2, "has no key 'root-9'"),
        (("repo", "rotate", "--remove", "line=line"), 2, "no role is called 'line'"),
        (("repo", "rotate", "--remove", "releases=line"), 2, "add one for each that goes"),
        (("repo", "sign", "nowhere.json"), 3, "does not exist"),
        (("release", "block", "cctv", "--reason", "x"), 2, "is not MODEL@VERSION"),
        (("release", "revoke", "cctv@1.0.0", "--reason", "x"), 3, "is not published here"),
        (("release", "block", "cctv@1.0.0", "--reason", " "), 2, "a reason is needed"),
    ],
)
def test_what_is_wrong_costs_one_line(
    here: Path, run: Run, arguments: tuple[str, ...], code: int, says: str
) -> None:
    assert says in str(run(*arguments, code=code)["error"])


def test_a_key_that_may_sign_nothing_is_told(here: Path, people: Path, run: Run) -> None:
    run("repo", "rotate", "--renew", "targets")
    key = people / "approver" / "approver.pem"
    error = run("repo", "sign", "rotate.request.json", "--key", key, code=5)["error"]
    assert "may not sign anything in this request (targets)" in str(error)


def test_keys_are_shown_and_handed_out(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    run("keys", "create", "root-1", "--keys", tmp_path)
    assert b"ENCRYPTED" in (tmp_path / "root-1.pem").read_bytes()
    shown = run("keys", "show", tmp_path / "root-1.pem")
    assert shown == run("keys", "show", tmp_path / "root-1.pub")
    monkeypatch.setenv("KEY_IN_CI", (tmp_path / "root-1.pem").read_text())
    run("keys", "show", "env:KEY_IN_CI", "--out", tmp_path / "ci.pub")
    assert run("keys", "show", tmp_path / "ci.pub")["keyid"] == shown["keyid"]
    assert "never overwritten" in str(
        run("keys", "create", "root-1", "--keys", tmp_path, code=2)["error"]
    )
