"""The templates in deploy/ci run the same commands; those of GitHub's are run in test_line."""

import re
from pathlib import Path

import pytest
import yaml

from edgefactory.pipelines.cli import build_parser

CI = Path(__file__).parents[2] / "deploy" / "ci"


def github_commands() -> list[str]:
    """The commands of GitHub's template, in the order of its jobs."""
    jobs = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


def test_gitlab_runs_the_same_commands() -> None:
    jobs = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
    scripts = [jobs[name]["script"] for name in jobs["stages"]]
    assert [command for script in scripts for command in script] == github_commands()


def test_jenkins_runs_the_same_commands() -> None:
    found = re.findall(r"^\s*sh '(.*)'$", (CI / "Jenkinsfile").read_text(), re.MULTILINE)
    assert found == github_commands()


@pytest.mark.parametrize("command", github_commands())
def test_each_command_is_one_that_there_is(command: str) -> None:
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
    assert words[0] in ("edgefactory", "dvc")
    if words[0] == "edgefactory":
        build_parser().parse_args(words[1:])


def test_publication_waits_for_a_second_person() -> None:
    jobs = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]
    assert jobs["publish"]["environment"] == "production"
    assert jobs["publish"]["needs"] == "prove"
