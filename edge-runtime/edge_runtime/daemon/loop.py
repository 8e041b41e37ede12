"""The daemon: polls, keeps each model running, tells systemd; until it is told to stop."""

import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from edge_runtime.contract import Outputs
from edge_runtime.daemon.book import Book
from edge_runtime.daemon.keeper import Keeper, Surroundings
from edge_runtime.daemon.notify import notify, watchdog_s
from edge_runtime.daemon.polling import Pace, after_failure, until_next
from edge_runtime.daemon.settings import ModelSettings, PollSettings, Settings
from edge_runtime.daemon.updater import Polled, Updater
from edge_runtime.engines import UInt8
from edge_runtime.errors import EdgeRuntimeError, InputError
from edge_runtime.hosting import Host, Loaded, Tap, give_back_memory
from edge_runtime.rebuilding import mend_journal
from edge_runtime.state import State

log = logging.getLogger(__name__)

BUSY_S = 0.5  # between steps while something is under way
STOP_S = 5.0  # for an update that was killed to be gone
IDLE_S = 5.0  # between looks at the journal, which others may change

Part = Callable[[Host], AbstractContextManager[object]]
"""Something that works with the models (a server, a stream). It is entered when they are loaded,
and left first when the daemon stops: then it ends what it has begun, and takes nothing new."""


class Daemon:
    """Keeps what `read_settings` names running on `state`.

    `taps` hear every inference; `parts` use `host`. `check` raises for settings that cannot work,
    before anything is loaded or changed by them; `told` gets those that count from now on. `run`
    blocks; `stop` and `reload` may be called from any thread and from signal handlers.
    """

    def __init__(
        self,
        state: State,
        read_settings: Callable[[], Settings],
        taps: tuple[Tap, ...] = (),
        parts: Sequence[Part] = (),
        told: Callable[[Settings], None] = lambda _: None,
        check: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        self._state, self._read_settings, self._parts = state, read_settings, parts
        self._told, self._check = told, check
        self.host = Host((self._hear, *taps))
        self._site = state.site().site
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._around = Surroundings(state, Book(state), self.host, read_settings(), self._wake)
        self._keepers: dict[str, Keeper] = {}
        self._updater = Updater(state.folder)
        self._polling: threading.Thread | None = None
        self._due = 0.0  # monotonic, of the next poll
        self._failures = 0
        self._running = True
        self._ready = False

    def stop(self) -> None:
        """Let `run` end in good order."""
        self._events.put(self._stop)

    def reload(self) -> None:
        """Read the settings again; bad ones cost a line in the log, and the old ones stay."""
        self._events.put(self._reload)

    def run(self) -> None:
        """Work until `stop`. Raises BusyError when this state has a daemon already, and what is
        wrong with the settings."""
        clean = False
        with self._state.daemon_lock(), contextlib.ExitStack() as parts:
            self._check(self._around.settings)
            log.info("the daemon of %s starts", self._site, extra={"event": "start"})
            with self._state.lock():
                mend_journal(self._state, self._state.site(), time.time())
            try:
                self._take(self._around.settings)
                self._schedule()
                while self._running:
                    self._step(parts)
                    self._wait()
                notify("STOPPING=1")
                parts.close()
                clean = True
            finally:
                self._updater.stop()
                if self._polling is not None:
                    self._polling.join(STOP_S)  # it holds the journal until it has ended
                for keeper in self._keepers.values():
                    keeper.close(clean)
            log.info("the daemon of %s has stopped", self._site, extra={"event": "stop"})

    def _step(self, parts: contextlib.ExitStack) -> None:
        notify("WATCHDOG=1")
        self._around.book.flush()
        for keeper in self._keepers.values():
            keeper.step()
        if not self._ready and all(keeper.settled for keeper in self._keepers.values()):
            for part in self._parts:
                parts.enter_context(part(self.host))
            self._ready = True
            notify("READY=1", f"STATUS=running {', '.join(self.host.names()) or 'no model yet'}")
        if self._polling is None and time.monotonic() >= self._due:
            self._poll()

    def _wait(self) -> None:
        """Until something happens, or a look is due."""
        busy = any(keeper.busy for keeper in self._keepers.values())
        nap = min(BUSY_S if busy else IDLE_S, watchdog_s() or IDLE_S)
        if self._polling is None:
            nap = min(nap, max(self._due - time.monotonic(), 0.0))
        try:
            self._events.get(timeout=nap)()
            while True:
                self._events.get_nowait()()
        except queue.Empty:
            return

    def _hear(self, loaded: Loaded, batch: UInt8, result: Outputs | EdgeRuntimeError) -> None:
        keeper = self._keepers.get(loaded.active.release.name)
        listener = keeper.listener if keeper is not None else None
        if listener is not None:
            listener.tap(loaded, batch, result)

    def _take(self, settings: Settings) -> None:
        """Keep the models that `settings` name, else those of the journal."""
        names = tuple(settings.models) or self._around.book.models()
        if not names:
            raise InputError(
                "no model to run: say --model NAME, or name it in "
                f"{self._state.settings} as [models.NAME]"
            )
        for stream, wanted in settings.streams.items():
            if wanted.model not in names:
                raise InputError(
                    f"streams.{stream}: model {wanted.model!r} does not run here; expected one of "
                    f"{', '.join(names)}"
                )
        self._around.settings = settings
        kept = {name: self._keepers.get(name) or Keeper(name, self._around) for name in names}
        for name, keeper in self._keepers.items():
            if name not in kept:
                keeper.close(clean=True)
        self._keepers = kept
        self._told(settings)

    def _wake(self) -> None:
        """Let the loop look at once: something has ended."""
        self._events.put(lambda: None)

    def _stop(self) -> None:
        self._running = False

    def _reload(self) -> None:
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            settings = self._read_settings()
            self._check(settings)
            self._take(settings)
            self._schedule()
            log.info("the settings were read again", extra={"event": "reload"})
        except EdgeRuntimeError as error:
            about = {"event": "reload-failed"}
            log.error("the old settings stay: %s", error, extra=about)  # noqa: TRY400
        if self._ready:
            notify("READY=1")

    def _schedule(self) -> None:
        """The next regular poll; at once where a model has nothing to run."""
        bare = any(self._around.book.of(name).active is None for name in self._keepers)
        wait = until_next(self._pace, self._site, time.time())
        self._due = time.monotonic() + (0.0 if bare and not self._failures else wait)

    @property
    def _pace(self) -> Pace:
        poll = self._around.settings.poll
        return Pace(poll.interval_s, poll.first_backoff_s, poll.longest_backoff_s)

    def _poll(self) -> None:
        models = {
            name: self._around.settings.models.get(name, ModelSettings()) for name in self._keepers
        }
        work = (models, self._around.settings.poll)
        self._polling = threading.Thread(target=self._ask, args=work, name="poll", daemon=True)
        self._polling.start()

    def _ask(self, models: dict[str, ModelSettings], poll: PollSettings) -> None:
        answers = {
            name: self._updater.poll(name, settings, poll.deadline_s)
            for name, settings in models.items()
        }
        self._events.put(lambda: self._polled(answers))

    def _polled(self, answers: dict[str, Polled]) -> None:
        self._polling = None
        give_back_memory()  # requests leave holes between what is in use
        for name, answer in answers.items():
            about = {"event": "polled", "model": name}
            if answer.error:
                log.warning("%s: the update failed: %s", name, answer.error, extra=about)
            else:
                text = " ".join((answer.outcome, answer.version, answer.reason)).strip()
                log.info("%s: %s", name, text, extra=about)
                if name in self._keepers:
                    self._keepers[name].retry()
        failed = any(answer.error for answer in answers.values())
        self._failures = self._failures + 1 if failed else 0
        now = time.monotonic()
        if failed:
            asked = max(answer.retry_after for answer in answers.values())
            self._due = now + after_failure(self._pace, self._failures, asked, random.random())
        else:
            self._due = now + until_next(self._pace, self._site, time.time())
