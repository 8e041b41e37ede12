"""What somebody asks of the accepted labels."""

from __future__ import annotations

from dataclasses import dataclass

from edgefactory.datasets.errors import InputError


@dataclass(frozen=True, slots=True)
class BoundSettings:
    """With `confidence`, at most the share `max_error` of the accepted labels is to be wrong."""

    max_error: float = 0.05  # of the accepted labels that nobody has checked, 0..1
    confidence: float = 0.95  # over the draw of the checked pictures, for all classes together
    seed: int = 0  # of the calibration order: which pictures are checked first
    tries: int = 1  # how often the bound is asked for while the checked pictures grow in number
    sample: int | None = None  # pictures drawn; None: all of the order up to the first unreviewed
    per_class: bool = True  # one threshold and one bound a class; else one for all classes
    iou: float = 0.5  # a box is right when a person's box of its class overlaps it this much

    def __post_init__(self) -> None:
        for name, value in (("max_error", self.max_error), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise InputError(f"{name} {value}: expected a share between 0 and 1, as 0.05")
        if not 1 <= self.tries <= 1000:
            raise InputError(f"tries {self.tries}: expected 1 to 1000")
        if self.sample is not None and self.sample < 1:
            raise InputError(f"sample {self.sample}: expected a number of pictures, 1 or more")
        if not 0 < self.iou <= 1:
            raise InputError(f"iou {self.iou}: expected more than 0 and at most 1")
