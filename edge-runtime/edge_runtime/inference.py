"""Models in this process, for Python: the same release, input and decisions as `edge-runtime run`.

from edge_runtime import Runtime
Runtime().infer("lobby.jpg")

What an engine and pictures need is imported when a model is loaded: beside its worker's start.
"""

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edge_runtime.apart import begin_worker
from edge_runtime.contract import Release, read
from edge_runtime.errors import MissingError
from edge_runtime.state import State, default_folder
from edge_runtime.store import load_journal

if TYPE_CHECKING:
    from edge_runtime.deciding import Picture
    from edge_runtime.hosting import Loaded
    from edge_runtime.result import Result


class Runtime:
    """The models that are active at a site, each loaded and self-tested when it is first asked for.

    Several threads may ask at once. A release that becomes active later needs a new `Runtime`.
    """

    def __init__(self, state: Path | str | None = None, threads: int = 1) -> None:
        """`state` is the site's state folder (None: $XDG_STATE_HOME/edge-runtime)."""
        where = State(Path(state) if state is not None else default_folder())

        def names() -> tuple[str, ...]:
            where.site()  # says so when it is not enrolled
            models = load_journal(where.journal).models
            return tuple(sorted(name for name, slots in models.items() if slots.active))

        self._names = names
        self._load: Callable[[str], Loaded] = lambda name: _active(where, name, threads)
        self._here: dict[str, Loaded] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_release(cls, folder: Path | str, threads: int = 1) -> Self:
        """The model of a release folder that nobody has published: `release.json` and `blobs/`.

        Its files are verified by their digests, but **no signature stands for it**: it is for
        trying out what you made yourself. The fastest variant that passes the self-test here runs.
        Raises MissingError, ContractError, or RefusedError when no variant may run.
        """
        from edge_runtime.unpublished import load_unpublished

        release = read(Path(folder) / "release.json", Release)
        made = cls(folder, threads)
        made._names = lambda: (release.name,)
        made._load = lambda _: load_unpublished(Path(folder), release, threads)
        made._loaded(release.name)
        return made

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that can be asked. Raises MissingError, StorageError."""
        return self._names()

    def infer(self, image: "Picture", model: str | None = None) -> "Result":
        """What `model` (None: the only one) decides about `image`, from its operating point up.

        Raises InputError when it is no picture; MissingError, StorageError or RefusedError when
        the model cannot run.
        """
        loaded = self._asked(model)
        from edge_runtime.deciding import decided

        return decided(loaded, image)

    def stretches(self, file: Path | str | bytes, model: str | None = None) -> "tuple[Result, ...]":
        """What `model` decides about a recording, of any length: a result a picture's length.

        Each says at which second it begins; the last one is filled up as the model knows it. Of a
        picture there is one. Errors as `infer`.
        """
        loaded = self._asked(model)
        from edge_runtime.deciding import decided_by_stretch

        return decided_by_stretch(loaded, file)

    def _asked(self, model: str | None) -> "Loaded":
        return self._loaded(self._only() if model is None else model)

    def _only(self) -> str:
        names = self._names()
        if len(names) == 1:
            return names[0]
        known = ", ".join(names) or "none; `edge-runtime once --model NAME` gets one"
        raise MissingError(f"say which model (active: {known})")

    def _loaded(self, name: str) -> "Loaded":
        with self._lock:
            if name not in self._here:
                self._here[name] = self._load(name)
            return self._here[name]


def infer(image: "Picture", model: str | None = None) -> "Result":
    """`Runtime().infer(image, model)`, with one `Runtime` for as long as the process lives."""
    return _default().infer(image, model)


@functools.cache
def _default() -> Runtime:
    return Runtime()


def _active(state: State, name: str, threads: int) -> "Loaded":
    begin_worker(load_journal(state.journal).of(name).active)
    import edge_runtime.deciding  # noqa: F401 - while the worker starts
    from edge_runtime.hosting import load_active
    from edge_runtime.running import active

    return load_active(state, active(state, name), threads)
