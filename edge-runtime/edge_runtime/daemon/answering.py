"""The daemon's server: what is loaded answers over HTTP, and its page says what became of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from msgspec import UnsetType

from edge_runtime.contract import Watch
from edge_runtime.contract.watch import Verdict
from edge_runtime.daemon.settings import ServeSettings
from edge_runtime.daemon.streaming import Streams
from edge_runtime.hosting import Host
from edge_runtime.serving import Panel, Row, Server, ServingSettings, listen_on
from edge_runtime.state import State
from edge_runtime.store import Journal, ModelSlots, load_journal

MOST_TEXT = 300
_STATES: Final[Mapping[Verdict, Literal["plain", "good", "bad"]]] = {
    "ok": "good",
    "drifting": "bad",
    "too few": "plain",
}


def serving_settings(settings: ServeSettings, state: State) -> ServingSettings:
    """Where to listen: a unix socket in the state folder, and TCP where the operator says so.

    Raises InputError, MissingError.
    """

    def beside(name: str | None) -> Path | None:
        return None if name is None else state.folder / name

    access = None
    if settings.listen is not None:
        access = listen_on(
            settings.listen,
            beside(settings.token),
            beside(settings.certificate),
            beside(settings.key),
        )
    return ServingSettings(access, state.socket, settings.workers, settings.live)


@contextmanager
def answering(
    host: Host,
    state: State,
    settings: ServingSettings,
    watch: Callable[[], Watch],
    drain_s: float,
    streams: Streams | None = None,
) -> Iterator[Server]:
    """Serve what `host` has loaded until the context is left, which drains for `drain_s` seconds;
    of `streams`, what they show.

    Raises InputError when it cannot listen.
    """

    def panels() -> tuple[Panel, ...]:
        more = () if streams is None else streams.panels()
        return (*update_panels(load_journal(state.journal)), *more, watch_panel(watch()))

    shown = () if streams is None else (streams.live, streams.counted)
    server = Server(host, settings, panels, *shown)
    server.start()
    try:
        yield server
    finally:
        server.stop(drain_s)


def update_panels(journal: Journal) -> tuple[Panel, ...]:
    """What became of the updates of each model. Pure."""
    return tuple(
        Panel(f"Updates of {name}", tuple(_updates(slots)))
        for name, slots in sorted(journal.models.items())
    )


def _updates(slots: ModelSlots) -> Iterator[Row]:
    phase = "on probation" if slots.dwelling else slots.phase
    if slots.down:
        yield Row("does not run", slots.down[:MOST_TEXT], "bad")
    yield Row("phase", phase, "bad" if slots.phase == "failed" or slots.down else "good")
    if slots.trial is not None:
        yield Row("on trial", f"{slots.trial.version} ({slots.trial.chosen})")
    if slots.proof:
        yield Row("believed because", slots.proof[:MOST_TEXT])
    if slots.previous is not None:
        yield Row("before it", f"{slots.previous.version} ({slots.previous.chosen})")
    if slots.reason:
        yield Row("why nothing newer", slots.reason[:MOST_TEXT], "bad")
    for sha256, barred in slots.barred.items():
        yield Row(f"not tried again: {sha256[:12]}", barred.reason[:MOST_TEXT], "bad")


def watch_panel(watch: Watch) -> Panel:
    """What is watched, and what to do about it; a bar is a figure's PSI of its limit. Pure."""
    rows = [Row("what to do", watch.route, "good" if watch.route == "none" else "bad")]
    cameras = {"camera": watch.camera} if watch.camera is not None else {}
    if not isinstance(watch.cameras, UnsetType):
        cameras = {f"camera {name}": camera for name, camera in watch.cameras.items()}
    for name, camera in cameras.items():
        rows.append(Row(name, camera.fault or "well", "bad" if camera.fault else "good"))
    for name, model in watch.models.items():
        rows.append(Row(f"{name}: looked at", f"{model.pictures} of {model.calls} calls"))
        for signal, said in model.signals.items():
            share = None if said.psi is None or not said.limit else said.psi / said.limit
            rows.append(Row(f"{name}: {signal}", said.verdict, _STATES[said.verdict], share))
    return Panel("Drift and camera", tuple(rows))
