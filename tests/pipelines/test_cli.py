"""The command line: light at start, documented, one line and one code for every failure."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgefactory.pipelines import cli, main
from edgefactory.pipelines.commands import GROUPS, TOP

HEAVY = {
    *("torch", "torchvision", "lightning", "mlflow", "onnx", "onnxruntime", "openvino", "nncf"),
    *("numpy", "scipy", "sklearn", "matplotlib", "PIL", "av", "dvc", "rich", "tuf", "msgspec"),
}

COMMANDS = [
    *((name,) for name in TOP),
    *((group, name) for group, (_, members) in GROUPS.items() for name in members),
]


def test_help_loads_no_heavy_module() -> None:
    code = (
        "import sys\n"
        "from edgefactory.pipelines.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & HEAVY


def test_help_takes_less_than_0_3_cpu_seconds() -> None:
    # The best of three: a busy machine lengthens a run, nothing shortens one.
    assert min(_cpu_seconds_of_help() for _ in range(3)) <= 0.3


def _cpu_seconds_of_help() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).with_name("edgefactory"), "--help"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "usage: edgefactory" in text
    assert len(text.splitlines()) > 5


def test_help_documents_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "130 "):
        assert f"\n  {code}" in text


def test_switches_stand_before_or_after_the_command() -> None:
    parser = cli.build_parser()
    for arguments in (["--json", "gate"], ["gate", "--json"]):
        args = parser.parse_args(arguments)
        assert args.json is True
        assert args.verbose is False


def test_a_workspace_that_is_not_there_is_one_line_and_3(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--workspace", str(tmp_path / "nowhere")]) == 3
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "holds no params.yaml" in error


def test_a_workspace_that_is_a_file_is_one_line_and_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["gate", "--workspace", str(tmp_path / "file")]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_an_unknown_key_is_refused_with_the_nearest_right_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_text("source:\n  knd: digits\n")
    assert main(["data", "fetch", "--workspace", str(tmp_path)]) == 2
    error = capfd.readouterr().err
    assert "params.yaml: source: unknown key 'knd'; did you mean 'kind'?" in error


def test_a_stage_needs_no_dvc_and_prints_json(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_text("source:\n  kind: digits\n")
    assert main(["--json", "data", "fetch", "--workspace", str(tmp_path)]) == 0
    assert json.loads(capfd.readouterr().out)["clip"] == {"file": None, "sha256": None}


def test_an_earlier_stage_that_has_not_run_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_text("source:\n  kind: digits\n")
    assert main(["release", "build", "--workspace", str(tmp_path)]) == 3
    assert "run `edgefactory compress` first" in capfd.readouterr().err


def test_verbose_shows_the_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").write_text("nonsense:\n  a: 1\n")
    assert main(["gate", "--verbose", "--workspace", str(tmp_path)]) == 2
    assert "Traceback" in capfd.readouterr().err
