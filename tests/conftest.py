"""What holds for all tests."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# An example may take long on a busy machine; that says nothing of the code. One commit has one
# result; `pytest --hypothesis-profile explore` looks where nobody has looked.
settings.register_profile("edgefactory", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("edgefactory")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command line that a test calls sends logs to that test's stderr, which is closed after it:
    whoever logs later, in this process, would write there."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)
