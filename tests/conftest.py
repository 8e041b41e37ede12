"""What holds for all tests."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

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
    whoever logs later, in this process, would write there. Libraries silence the loggers of
    others, too."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)
    logging.disable(logging.NOTSET)
    for logger in list(root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture(scope="session")
def debian() -> Iterator[Callable[..., Path]]:
    """Unpacks packages of Debian that are not installed, once a session; returns their root.

    Not in pytest's own folder, which other users may not enter: PostgreSQL does not run as root.
    """
    from edgefactory.datasets.debian import unpack
    from edgefactory.datasets.errors import MissingError

    roots: dict[tuple[str, ...], Path] = {}
    folder = Path(tempfile.mkdtemp(prefix="edgefactory-debian-"))
    folder.chmod(0o755)

    def root_of(*packages: str) -> Path:
        if packages not in roots:
            try:
                unpack(packages, folder / packages[0])
            except MissingError as error:
                pytest.skip(f"{packages[0]} is not installed, and cannot be fetched: {error}")
            roots[packages] = folder / packages[0]
        return roots[packages]

    yield root_of
    shutil.rmtree(folder)
