"""What works with the models beside the daemon: the server, who tells what is watched, streams."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from edge_runtime.contract import Watch
from edge_runtime.daemon.loop import Part
from edge_runtime.daemon.settings import Settings
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
