"""The stages in code, in dvc.yaml and on the command line are the same."""

from pathlib import Path

import yaml

from edgefactory.pipelines.commands import GROUPS, TOP
from edgefactory.pipelines.params import SECTIONS
from edgefactory.pipelines.stages import LINE

ROOT = Path(__file__).parents[2]
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def test_dvc_has_the_stages_in_order_and_calls_the_console_script() -> None:
    assert list(DVC) == [stage.name for stage in LINE]
    for stage in LINE:
        assert DVC[stage.name]["cmd"] == " ".join(("edgefactory", *stage.command))


def test_each_stage_is_a_command_of_the_cli() -> None:
    for stage in LINE:
        members = TOP if len(stage.command) == 1 else GROUPS[stage.command[0]][1]
        assert stage.name == members[stage.command[-1]].STAGE


def test_each_stage_depends_on_parameters_that_exist_and_on_outputs_of_earlier_ones() -> None:
    made = {"policy.yaml"}
    for name, stage in DVC.items():
        assert set(stage.get("params", [])) <= set(SECTIONS), name
        assert set(stage.get("deps", [])) <= made, name
        made |= {_path(out) for out in stage["outs"]}


def test_no_private_key_is_an_output() -> None:
    outputs = {_path(out) for stage in DVC.values() for out in stage["outs"]}
    assert "keys" not in outputs
    assert "keys" in {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}


def test_every_output_is_ignored_by_git() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    for stage in DVC.values():
        for out in stage["outs"]:
            assert _path(out).partition("/")[0] in ignored


def _path(out: str | dict[str, object]) -> str:
    return out if isinstance(out, str) else next(iter(out))
