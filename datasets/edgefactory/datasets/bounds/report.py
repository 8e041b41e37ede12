"""What came of the bound that was asked for, class by class."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One class, or all together (`classes` then names all of them).

    `threshold` is the lowest accepted score, None when nothing is accepted. Then `needed` is how
    many more pictures of the calibration order must be checked if no label in them turns
    out wrong, and `expected` if as many do as so far; None where all of the pool is not enough.
    """

    classes: tuple[str, ...]
    threshold: float | None
    labels: int  # of the machine, in pictures that nobody has reviewed
    accepted: int  # of these
    checked: int  # the machine's labels from the threshold on in the drawn and reviewed pictures
    wrong: int  # of these
    needed: int | None = None
    expected: int | None = None

    def line(self) -> str:
        """The report in one line, for a person."""
        name = ", ".join(self.classes)
        seen = f"{self.wrong} of {self.checked} checked were wrong"
        if self.threshold is not None:
            return (
                f"{name}: {self.accepted} of {self.labels} labels accepted, from score "
                f"{self.threshold:.3f} on; {seen}"
            )
        refused = f"{name}: none of {self.labels} labels accepted; {seen}"
        if self.needed is None:
            return f"{refused}; no number of checked pictures will do: review, or allow more error"
        more = f"{refused}; check {self.needed} more pictures if none of them has a wrong label"
        if not self.wrong:
            return more
        if self.expected is None:
            return f"{more}; at the rate of errors so far no number will do"
        return f"{more}, about {self.expected} at the rate of errors so far"
