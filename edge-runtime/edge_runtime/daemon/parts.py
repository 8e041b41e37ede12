"""What works with the models beside the daemon: the server, who tells what is watched, streams."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edge_runtime.contract import Watch
from edge_runtime.daemon.loop import Part
from edge_runtime.daemon.settings import ServeSettings, Settings
from edge_runtime.state import State

if TYPE_CHECKING:
    from edge_runtime.daemon.streaming import Streams


def parts(
    state: State,
    settings: Settings,
    watch: Callable[[], Watch],
    streams: "Streams | None" = None,
) -> Sequence[Part]:
    """The parts that `settings` ask for; `watch` gives what was watched so far.

    Raises InputError or MissingError for wrong ones: before a model is loaded.
    """
    from edge_runtime.daemon.answering import answering, serving_settings

    serving = serving_settings(settings.serve, state)
    serve = partial(answering, state=state, watch=watch, drain_s=settings.serve.drain_s)
    found: list[Part] = [partial(serve, settings=serving, streams=streams)]
    if settings.telemetry is not None:
        from edge_runtime.daemon.telling import telling

        told = settings.telemetry
        found.append(lambda _host: telling(state, told, watch))
    if streams is not None:
        found.append(streams)
    return found


class ServeCheck:
    """Refuses settings with which the server could not listen: InputError, MissingError.

    The address of the settings that it takes first is our own from then on; other ones count from
    the next start, which a mistake in them must not prevent.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._ours: ServeSettings | None = None

    def __call__(self, settings: Settings) -> None:
        """Look whether that can be listened on."""
        from edge_runtime.daemon.answering import serving_settings
        from edge_runtime.serving import check_listening

        serving = serving_settings(settings.serve, self._state)
        if self._ours is None:
            check_listening(serving)
            self._ours = settings.serve
        elif _port(settings.serve) != _port(self._ours):
            check_listening(replace(serving, socket=None))


def _port(settings: ServeSettings) -> str:
    return (settings.listen or "").rpartition(":")[2]
