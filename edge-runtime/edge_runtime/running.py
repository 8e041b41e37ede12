"""What runs here: the active release of a model, and the report of a run of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import UNSET

from edge_runtime.contract import Release, RunReport, Variant, decode
from edge_runtime.engines import Session, engine_version
from edge_runtime.errors import MissingError, RefusedError
from edge_runtime.proof import open_variant, self_test_release
from edge_runtime.state import State
from edge_runtime.store import Slot, load_journal
from edge_runtime.trust import highwater

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Active:
    """The active release of a model at a site."""

    site: str
    slot: Slot
    release: Release
    variant: Variant


@dataclass
class Timing:
    """Milliseconds of wall time: of each engine call, and of each picture without decoding."""

    infer: list[float] = field(default_factory=list)
    frame: list[float] = field(default_factory=list)


def active(state: State, model: str | None) -> Active:
    """What runs as `model` (None: the only one there is).

    Raises MissingError when nothing does, RefusedError when it is blocked or below the floor.
    """
    state.site()  # says so when it is not enrolled
    journal = load_journal(state.journal)
    models = {m: s.active for m, s in journal.models.items() if s.active}
    if model is None and len(models) == 1:
        model = next(iter(models))
    slot = models.get(model or "")
    if slot is None:
        known = ", ".join(models) or "none"
        why = f": {reason}" if model and (reason := journal.of(model).reason) else ""
        what = f"no release of {model} is active{why}" if model else "say which --model"
        raise MissingError(f"{what} (active: {known}); `edge-runtime once --model NAME` gets one")
    return of_slot(state, slot)


def of_slot(state: State, slot: Slot) -> Active:
    """The release in `slot`, if it may run.

    Raises RefusedError when it is blocked or below the floor, MissingError or StorageError when
    it is gone or damaged.
    """
    source = f"release {slot.release.sha256[:12]}"
    release = decode(state.contents.read(slot.release), Release, source)
    mark = highwater.load(state.trust).models.get(release.name)
    against = mark.against(release.sequence, slot.release.sha256) if mark is not None else ""
    if against:
        raise RefusedError(
            f"{release.name} {release.version} may not run: {against}; "
            "`edge-runtime once` gets a newer release"
        )
    return Active(state.site().site, slot, release, release.variant(slot.variant))


def open_active(state: State, active: Active, threads: int) -> Session:
    """Load what is active and self-test it again before it runs. Raises RefusedError."""
    session = open_variant(active.variant, state.contents, threads, active.slot.provider)
    self_test_release(active.release, active.variant, session, state.contents)
    return session


def run_report(
    active: Active,
    stream: str,
    timing: Timing,
    first_frame: int,
    counts: dict[str, int],
    over_time: Sequence[tuple[float, int]] = (),
) -> RunReport:
    """What a run of `active` on `stream` came to. It was self-tested when it was opened."""
    return RunReport(
        schema="run/1",
        site=active.site,
        release_name=active.release.name,
        release_version=active.release.version,
        release=active.slot.release.sha256,
        variant=active.slot.variant,
        engine=active.slot.engine,
        engine_version=engine_version(active.variant.engine),
        provider=active.slot.provider or UNSET,
        self_test="passed",
        stream=stream,
        frames=len(timing.infer),
        first_frame=first_frame,
        infer_ms_p50=_percentile(timing.infer, 50),
        infer_ms_p99=_percentile(timing.infer, 99),
        frame_ms_p50=_percentile(timing.frame, 50),
        counts=counts,
        over_time=tuple(over_time),
    )


def _percentile(values: Sequence[float], share: int) -> float:
    return round(float(np.percentile(values, share)), 4)
