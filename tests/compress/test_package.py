"""The package's surface: complete, sorted, and light to import."""

import subprocess
import sys

import pytest

import edgefactory.compress as package
from edgefactory.compress.machine import has_bf16, host


def test_every_public_name_is_there_and_they_are_sorted() -> None:
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = package.nothing_like_it


def test_import_brings_no_heavy_module() -> None:
    code = (
        "import sys, edgefactory.compress as c\n"
        "c.host(); c.CompressSettings(); c.ProveSettings()\n"
        "heavy = {'torch', 'lightning', 'onnx', 'onnxruntime', 'openvino', 'nncf'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_host_is_described() -> None:
    found = host()
    assert found.cpu
    assert found.cores >= 1
    assert {"numpy", "onnxruntime"} <= set(found.versions)
    assert "no-such-package" not in host(["no-such-package"]).versions
    assert has_bf16(found) in (True, False)
