"""`edgefactory recipe`: the list, one of them as a file to begin with, and a check of a file."""

from pathlib import Path

import pytest

from edgefactory.pipelines import main
from edgefactory.training import shipped_recipes


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_recipes())


def test_what_is_printed_is_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "detection-torchvision"]) == 0
    mine = tmp_path / "mine.yaml"
    mine.write_text(capsys.readouterr().out)
    assert main(["recipe", "--check", str(mine)]) == 0
    said = capsys.readouterr().out
    assert "mine.yaml is right: detection by torchvision/mobilenet_v3_large from hub" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch: 3", "unknown key 'epoch'; did you mean 'epochs'?"),
        ("augment: {filp: 0.5}", "mine.yaml.augment: unknown key 'filp'; did you mean 'flip'?"),
        ("epochs: 0", "Expected `int` >= 1 - at `$.epochs`"),
        ("task: embedding\ndetections: 3", "detections is for detection, the task is embedding"),
        ("epochs: [", "is not YAML or JSON"),
    ],
)
def test_a_wrong_one_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    assert main(["recipe", "--check", str(mine)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error


def test_a_name_that_does_not_ship_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "detecton"]) == 2
    assert "no recipe 'detecton' ships; did you mean 'detection'?" in capsys.readouterr().err
