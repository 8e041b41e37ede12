"""The whole line on the embedded data: every stage, a second run, refusals and interrupts."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from edge_runtime.contract import Release, RunReport, file_digest, read
from edgefactory.datasets.outcomes import read_outcomes
from edgefactory.pipelines.report import read_summary
from edgefactory.pipelines.stages import LINE, STAGES
from edgefactory.registry import refresh, verify_published
from edgefactory.registry.keys import ONLINE_KEYS
from edgefactory.registry.rollouts import EXAMPLE

from .test_ci_templates import github_commands, github_jobs

pytestmark = pytest.mark.component

EDGEFACTORY = Path(sys.executable).with_name("edgefactory")
SECONDS = 280


def edgefactory(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [EDGEFACTORY, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )


def demo(root: Path) -> "subprocess.CompletedProcess[str]":
    return edgefactory("--json", "demo", "--line", "digits", "--workspace", root)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the line has run once."""
    root = tmp_path_factory.mktemp("line") / "digits"
    done = demo(root)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == [stage.name for stage in LINE]
    return root


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A workspace of one's own in which the line has run once."""
    return shutil.copytree(finished, tmp_path / "work", symlinks=True)


def test_the_branch_ran_what_the_line_proved_and_signed(finished: Path) -> None:
    release = file_digest(finished / "release" / "release.json")
    report = read(finished / "branch" / "run.json", RunReport)
    assert report.release == release
    assert report.self_test == "passed"
    assert release == json.loads((finished / "gate" / "verdict.json").read_bytes())["release"]
    summary = read_summary(finished / "summary.json")
    assert summary.edge is not None
    assert summary.edge.release == release
    assert summary.edge.vouchers_right is not None
    assert summary.edge.vouchers_right > 0.8 * (summary.edge.vouchers or 0)


@pytest.fixture
def in_ci(copied: Path, tmp_path: Path) -> dict[str, str]:
    """A workspace as CI has it, whose next release is not out yet: offline keys lie elsewhere.

    Returns the secrets of the two who sign.
    """
    people = tmp_path / "people"
    people.mkdir()
    for path in (copied / "keys").iterdir():
        if path.stem not in ONLINE_KEYS:
            path.rename(people / path.name)
    _set(copied, "release", "summary", "Another sentence.")
    _set(copied, "publish", "bound", 0)
    shutil.copy(EXAMPLE, copied / "rings.yaml")
    secrets = {"LINE_KEY": "line.pem", "APPROVER_KEY": "approver.pem"}
    return {name: (people / file).read_text() for name, file in secrets.items()}


def ci_run(root: Path, secrets: dict[str, str], number: int) -> list[str]:
    """Run GitHub's jobs as GitHub does: bash, which stops at the first command that fails, and
    each job with its own secrets. Returns what each command said."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    plain["PATH"] = f"{EDGEFACTORY.parent}:{os.environ['PATH']}"
    plain["REQUEST"] = f"requests/{number}.json"
    said = []
    for job, commands in github_commands().items():
        may = {
            name: text
            for name, text in secrets.items()
            if name in github_jobs()[job].get("env", ())
        }
        for command in commands:
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
                cwd=root,
                env=plain | may,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            said.append(done.stdout)
    return said


def test_the_jobs_of_github_s_template_bring_a_release_to_the_lab(
    copied: Path, in_ci: dict[str, str]
) -> None:
    said = "".join(ci_run(copied, in_ci, 1))
    assert "champion of voucher-digits is 0.1.1 (was nobody)" in said
    assert "voucher-digits 0.1.1: rolls out (lab, edition 3)" in said
    chain = verify_published(copied / "published", copied / "published/metadata/1.root.json")
    signed = {role.role: [one.name for one in role.signers] for role in chain.roles}
    assert signed["releases"] == ["approver", "line"]
    assert [(one.version, one.bound) for one in chain.releases] == [("0.1.1", 0)]
    before = {path: path.read_bytes() for path in copied.glob("published/**/*") if path.is_file()}
    again = "".join(ci_run(copied, in_ci, 2))
    assert "published on this verdict already; nothing to sign" in again
    after = {path: path.read_bytes() for path in copied.glob("published/**/*") if path.is_file()}
    assert after == before
    assert not (copied / "requests" / "2.json").exists()


def test_the_branch_has_no_torch_and_nothing_of_the_factory(finished: Path) -> None:
    installed = json.loads((finished / "branch" / "install.json").read_bytes())
    assert not {"torch", "edgefactory", "openvino"} & installed["packages"].keys()


def test_the_published_tree_verifies_and_holds_no_private_key(finished: Path) -> None:
    done = edgefactory("release", "verify", finished / "published")
    assert done.returncode == 0, done.stderr
    found = [path for path in finished.rglob("*") if path.is_file() and _is_private(path)]
    site = finished / ".edgefactory" / "scratch" / "branch" / "state"  # its own device key
    assert {path.parent for path in found} == {finished / "keys", site}


def _is_private(path: Path) -> bool:
    return b"PRIVATE KEY" in path.read_bytes()[:200]


def test_every_stage_has_its_seconds(finished: Path) -> None:
    seconds = {path.stem for path in (finished / ".edgefactory" / "seconds").iterdir()}
    assert seconds == set(STAGES)


def test_a_second_run_does_nothing_again(finished: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = demo(finished)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 15
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == ["fetch"]


def test_a_changed_parameter_redoes_what_depends_on_it_under_a_new_number(copied: Path) -> None:
    kept = (copied / "params.yaml").read_text()
    _set(copied, "release", "summary", "Another sentence.")
    done = demo(copied)
    assert done.returncode == 0, done.stderr
    redone = ["fetch", "release", "gate", "publish", "branch", "report"]
    assert json.loads(done.stdout)["done"] == redone
    assert _number(copied) == (2, "0.1.1")
    (copied / "params.yaml").write_text(kept)
    assert demo(copied).returncode == 0
    assert _number(copied) == (3, "0.1.2"), "an older release comes back under a new number"


def _number(root: Path) -> tuple[int, str]:
    release = read(root / "release" / "release.json", Release)
    return release.sequence, release.version


def _set(root: Path, section: str, key: str, value: object) -> None:
    params = yaml.safe_load((root / "params.yaml").read_bytes())
    params[section][key] = value
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_gate_that_says_no_stops_the_line_with_its_reason(copied: Path) -> None:
    policy = copied / "policy.yaml"
    kept = policy.read_text()
    policy.write_text(kept.replace("limit: 0.95", "limit: 0.9999"))
    done = demo(copied)
    assert done.returncode == 4
    reason, figures = done.stderr.splitlines()[-2:]
    assert "digits are read" in reason
    assert "edgefactory report" in figures
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["failed"] == "gate"
    policy.write_text(kept)
    assert demo(copied).returncode == 0


def test_a_model_that_is_not_the_proven_one_is_stopped_by_the_gate(copied: Path) -> None:
    release = read(copied / "release" / "release.json", Release)
    variant = release.variant("onnx-int8")
    blob = copied / "release" / "blobs" / variant.files[variant.main].sha256
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    done = edgefactory("gate", "--workspace", copied)
    assert done.returncode == 4
    assert "bound_to_bytes" in done.stderr.splitlines()[-1]


def test_outcomes_are_those_that_were_proven(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "outcomes.json"
    done = edgefactory("outcomes", finished / "release", finished / "snapshot", "--out", out)
    assert done.returncode == 0, done.stderr
    made, kept = read_outcomes(out), read_outcomes(finished / "evidence" / "outcomes.json")
    assert (made.pictures, made.targets) == (kept.pictures, kept.targets)
    for one in made.subjects:
        assert kept.subject(one.subject, one.engine, one.precision) == one
    assert "may be signed" in (finished / "gate" / "verdict.html").read_text()


def test_a_port_in_use_is_named(copied: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        _set(copied, "branch", "port", taken.getsockname()[1])
        done = edgefactory("branch", "run", "--workspace", copied)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "choose another port" in done.stderr


def test_a_tree_that_was_tampered_with_is_refused_by_the_branch(copied: Path) -> None:
    shutil.rmtree(copied / "keys")  # with them the line itself would notice first
    timestamp = copied / "published" / "metadata" / "timestamp.json"
    timestamp.write_bytes(timestamp.read_bytes().replace(b'"version":', b'"version": 9', 1))
    done = edgefactory("branch", "run", "--workspace", copied)
    assert done.returncode == 5, done.stderr
    assert done.stderr.splitlines()[-1].startswith("edgefactory: the branch stopped at")


def test_a_tree_that_has_lain_for_a_week_is_signed_again(copied: Path) -> None:
    refresh(copied / "keys", copied / "published", datetime.now(UTC) - timedelta(days=8))
    assert edgefactory("release", "verify", copied / "published").returncode == 5
    done = edgefactory("branch", "run", "--workspace", copied)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stage", ["ingest", "snapshot", "train", "compress", "prove", "branch"])
def test_an_interrupted_stage_says_so_and_a_rerun_continues(copied: Path, stage: str) -> None:
    command = [str(EDGEFACTORY), *STAGES[stage].command, "--workspace", str(copied)]
    note = copied / ".edgefactory" / "failed.json"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        _wait_for(note, process)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode in {0, 130}, error
    if process.returncode:
        assert error.splitlines()[-1].startswith("edgefactory: Interrupted")
    assert "Traceback" not in error
    again = edgefactory(*STAGES[stage].command, "--workspace", copied)
    assert again.returncode == 0, again.stderr


def test_an_interrupted_demo_leaves_no_process_and_continues(copied: Path) -> None:
    _set(copied, "compress", "calibration", 32)
    log = copied / ".edgefactory" / "log" / "compress.log"
    log.unlink()
    command = [str(EDGEFACTORY), "demo", "--workspace", str(copied)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        _wait_for(log, process)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.count("Interrupted") == 1
    assert "Traceback" not in error
    assert not _processes_in(copied)
    done = demo(copied)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unchanged"] == ["ingest", "label", "snapshot", "train"]


def _wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def _processes_in(root: Path) -> list[str]:
    """The command lines of processes that name `root`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = str((folder / "cwd").readlink())
        except OSError:
            continue
        if (str(root) in line or where.startswith(str(root))) and folder.name != str(os.getpid()):
            found.append(line)
    return found
