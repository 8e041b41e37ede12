"""What the signed tree asks of this site: metadata, rollout and release of one model.

Nothing is believed before the high-water marks were raised by it, and saved, step by step.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_runtime.contract import FileRef, Offer, Patch, Release, Rollout, offered, takes_part
from edge_runtime.enrolment import trusted_root
from edge_runtime.errors import ContractError, MissingError, RefusedError, TrustError
from edge_runtime.running import Progress
from edge_runtime.state import Site, State
from edge_runtime.store import Heard, load_journal, save_journal
from edge_runtime.store.slots import leave
from edge_runtime.trust import highwater
from edge_runtime.trust.origin import Origin

if TYPE_CHECKING:
    from edge_runtime.trust.metadata import Catalogue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A rollout and the release that it asks this site to run; None where it asks for none.

    `paused`: it would, but is paused. `ref` is of the release's bytes, which are kept.
    """

    rollout: Rollout
    paused: bool
    release: Release | None = None
    ref: FileRef | None = None


@dataclass
class Asking:
    """Asks for `model`, under the state's lock; `now` is the box's clock (seconds since 1970).

    `heard` is what was learnt from the rollout, also where it ends in an error.
    """

    state: State
    site: Site
    origin: Origin
    model: str
    hardware: Sequence[str]
    progress: Progress
    now: Callable[[], float]
    heard: Heard = field(default_factory=Heard)
    _catalogue: "tuple[Catalogue, Rollout] | None" = None

    def verified(self) -> Asked:
        """What is asked. Releases that are blocked are left on the way.

        Raises MissingError, TrustError, StorageError, or RefusedError for a release below a mark.
        """
        from edge_runtime.trust.metadata import Catalogue

        self.progress(0, 4, "metadata")
        root = trusted_root(self.state, self.site)
        catalogue = Catalogue(self.origin, root, highwater.load(self.state.trust), self.now)
        catalogue.refresh()
        self._save(catalogue, catalogue.marks)
        block = catalogue.block(self.model)
        if block is not None:
            self._save(catalogue, highwater.raise_block(catalogue.marks, block))
            self._leave(catalogue.marks)
        rollout = catalogue.rollout(self.model)
        self._save(
            catalogue, highwater.raise_edition(catalogue.marks, rollout.model, rollout.edition)
        )
        if rollout.floor > catalogue.marks.models[rollout.model].floor:
            _check_floor(catalogue, rollout)
            self._save(
                catalogue, highwater.raise_floor(catalogue.marks, rollout.model, rollout.floor)
            )
        return self._asked(catalogue, rollout)

    def patches(self) -> tuple[Patch, ...]:
        """The patches to what was asked for; none, and a line in the log, when they cannot be used.

        A stick has none: it brings whole files.
        """
        if self._catalogue is None or self.origin.group is not None:
            return ()
        catalogue, rollout = self._catalogue
        try:
            return catalogue.patches(rollout)
        except (MissingError, TrustError, ContractError) as error:
            log.warning("no patches, fetching whole files: %s", error)
            return ()

    def _asked(self, catalogue: "Catalogue", rollout: Rollout) -> Asked:
        part = any(
            takes_part(rollout, self.site.site, hardware, self.site.region)
            for hardware in self.hardware
        )
        active = load_journal(self.state.journal).of(self.model).active
        offer = offered(rollout, part, active.sequence if active else None)
        self.heard = Heard(rollout.edition, offer)
        if offer is None or (offer == rollout.base and self._blocked(catalogue, offer)):
            return Asked(rollout, rollout.paused and part)
        release, data = catalogue.release(rollout.model, offer)
        marks = highwater.raise_model(
            catalogue.marks, release.name, offer.sequence, offer.release, rollout.known
        )
        self._save(catalogue, marks)
        against = marks.models[release.name].against(offer.sequence, offer.release)
        if against:
            raise RefusedError(f"{release.name} {release.version} may not run: {against}")
        self._catalogue = (catalogue, rollout)
        return Asked(rollout, False, release, self.state.contents.put(data))

    def _blocked(self, catalogue: "Catalogue", offer: Offer) -> bool:
        """Whether a block list names the release of `offer`."""
        blocked = catalogue.marks.models[self.model].blocked
        return isinstance(blocked, dict) and offer.release in blocked

    def _save(self, catalogue: "Catalogue", marks: highwater.Marks) -> None:
        catalogue.marks = highwater.save(self.state.trust, marks)

    def _leave(self, marks: highwater.Marks) -> None:
        """What was blocked stops being active before anything else is tried."""
        mark = marks.models[self.model]
        journal = load_journal(self.state.journal)
        slots = journal.of(self.model)
        left = leave(slots, lambda slot: mark.against(slot.sequence, slot.release.sha256))
        if left != slots:
            self.progress(0, 4, "leaving what is blocked")
            save_journal(self.state.journal, journal.with_model(self.model, left))


def _check_floor(catalogue: "Catalogue", rollout: Rollout) -> None:
    """Raise TrustError unless the floor stands on a release that was signed.

    A floor never falls, so whoever stole the rollout key could forbid every model for ever.
    """
    release, _ = catalogue.release(rollout.model, rollout.offer)
    if rollout.floor > release.sequence:
        raise TrustError(
            f"the rollout of {rollout.model} sets a floor of {rollout.floor}, above its own "
            f"release {release.sequence}"
        )
