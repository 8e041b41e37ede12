"""The public names are there, and asking for the light ones does not import the heavy ones."""

from __future__ import annotations

import subprocess
import sys

import edgefactory.training


def test_public_names_are_sorted_and_all_there() -> None:
    names = edgefactory.training.__all__
    assert names == sorted(names)
    for name in names:
        assert getattr(edgefactory.training, name).__name__ == name


def test_metrics_and_recipes_need_no_torch() -> None:
    code = (
        "import sys; from edgefactory.training import Recipe, ap50, recipe_from; "
        "print(sorted({'torch', 'lightning', 'mlflow', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
