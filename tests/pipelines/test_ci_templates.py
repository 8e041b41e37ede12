"""The templates in deploy/ci run the same commands; those of GitHub's are run in test_line."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgefactory.pipelines.cli import build_parser

CI = Path(__file__).parents[2] / "deploy" / "ci"
JOBS = ("prove", "line", "approver", "publish", "daily")


def github_jobs() -> dict[str, Any]:
    """The jobs of GitHub's template, in their order."""
    found: dict[str, Any] = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]
    return found


def github_commands() -> dict[str, list[str]]:
    """The commands of each job of GitHub's template, in their order."""
    return {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in github_jobs().items()
    }


def test_gitlab_runs_the_same_commands() -> None:
    jobs = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
    assert {name: jobs[name]["script"] for name in jobs["stages"]} == github_commands()
    assert all(jobs[name]["stage"] == name for name in jobs["stages"])


def test_jenkins_runs_the_same_commands() -> None:
    text = (CI / "Jenkinsfile").read_text() + (CI / "Jenkinsfile.daily").read_text()
    assert text.count("{") == text.count("}")
    _, *stages = re.split(r"^\s*stage\('(\w+)'\) \{$", text, flags=re.MULTILINE)
    found = {
        name: re.findall(r"^\s*sh '(.*)'$", body, re.MULTILINE)
        for name, body in zip(stages[::2], stages[1::2], strict=True)
    }
    assert found == github_commands()


def test_the_jobs_are_the_whole_way_in_order() -> None:
    jobs = github_jobs()
    assert tuple(jobs) == JOBS
    needs = [(name, job["needs"]) for name, job in jobs.items() if "needs" in job]
    assert needs == [("line", "prove"), ("approver", "line"), ("publish", "approver")]


@pytest.mark.parametrize("command", [one for job in github_commands().values() for one in job])
def test_each_command_is_one_that_there_is(command: str) -> None:
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
    assert words[0] in ("edgefactory", "dvc")
    if words[0] == "edgefactory":
        build_parser().parse_args(words[1:])


def test_each_signature_has_a_key_that_no_other_job_sees() -> None:
    jobs = github_jobs()
    secrets = {name: set(re.findall(r"secrets\.(\w+)", str(job))) for name, job in jobs.items()}
    assert secrets["line"] == {"LINE_KEY", "LINE_PASSPHRASE"}
    assert secrets["approver"] == {"APPROVER_KEY", "APPROVER_PASSPHRASE"}
    assert not (secrets["line"] | secrets["approver"]) & (secrets["prove"] | secrets["publish"])
    assert (jobs["line"]["environment"], jobs["approver"]["environment"]) == ("line", "model-risk")
    everywhere = (CI / "github-actions.yml").read_text().partition("\njobs:")[0]
    assert "secrets." not in everywhere


def test_what_is_due_daily_waits_for_nobody() -> None:
    text = (CI / "github-actions.yml").read_text()
    template = yaml.safe_load(text)
    assert template[True]["schedule"]  # YAML 1.1 reads the key `on` so
    assert "needs" not in template["jobs"]["daily"]
    assert "'daily' || 'release'" in template["concurrency"]
