"""The bench, built once: tests that change files make their own."""

import pytest

from .made import Bench, make_bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A release that passes a policy with every kind of rule. Not to be changed."""
    return make_bench(tmp_path_factory.mktemp("gating"))
