"""The package's face: sorted names, and nothing heavy behind it."""

from __future__ import annotations

import subprocess
import sys

from edgefactory import registry


def test_public_names_are_sorted_and_there() -> None:
    names = registry.__all__
    assert list(names) == sorted(names, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert all(hasattr(registry, name) for name in names)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, edgefactory.registry; "
        "print([m for m in ('mlflow', 'torch', 'onnxruntime', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
