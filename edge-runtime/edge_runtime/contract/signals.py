"""How a sequence is a picture: one column a time step, one row a feature.

Sound becomes a log-mel spectrogram, any other features are mapped to grey levels;
`contract.sequences` makes the pictures.
"""

import math
from typing import Annotated

from msgspec import Meta, Struct

MAX_ROWS = 16384  # as the pictures of a snapshot

Samples = Annotated[int, Meta(ge=1, le=65536)]
Rows = Annotated[int, Meta(ge=1, le=MAX_ROWS)]
Steps = Annotated[int, Meta(ge=1, le=MAX_ROWS)]


class Audio(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="audio"):
    """Sound of one channel as a log-mel spectrogram of `steps` columns.

    `rate` in samples a second; column t looks at the `window` samples from t × `hop` on. `bands`
    triangles lie on the mel scale from `low` to `high` Hz. Grey 0 is `floor` dB, 255 is 0 dB: a
    sine of full scale all of whose energy is in one band.
    """

    rate: Annotated[int, Meta(ge=1, le=1_000_000)]
    window: Samples
    hop: Samples
    bands: Rows
    low: Annotated[float, Meta(ge=0.0)]
    high: Annotated[float, Meta(gt=0.0)]
    floor: Annotated[float, Meta(ge=-300.0, lt=0.0)]
    steps: Steps

    def __post_init__(self) -> None:
        """Raises ValueError for bands that do not exist at this rate, or that hold nothing."""
        if not self.low < self.high <= self.rate / 2:
            raise ValueError(
                f"bands from {self.low:g} to {self.high:g} Hz; expected low < high <= rate / 2, "
                f"which is {self.rate / 2:g}"
            )
        edges = band_edges(self)
        bin_width = self.rate / transform_size(self)
        for band, (left, right) in enumerate(zip(edges, edges[2:], strict=False)):
            if math.floor(left / bin_width) + 1 >= right / bin_width:
                raise ValueError(
                    f"band {band} ({left:.1f} to {right:.1f} Hz) holds no frequency, they are "
                    f"{bin_width:.1f} Hz apart: take fewer bands, a longer window or a higher low"
                )

    @property
    def samples(self) -> int:
        """How many samples one picture looks at."""
        return (self.steps - 1) * self.hop + self.window

    @property
    def rows(self) -> int:
        """The height of a picture."""
        return self.bands

    @property
    def step_seconds(self) -> float:
        """How far two columns are apart."""
        return self.hop / self.rate

    @property
    def seconds(self) -> float:
        """How long the sound of one picture lasts."""
        return self.samples / self.rate


class Features(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="features"):
    """Any features over time, `rate` steps a second, as a picture of `steps` columns.

    Grey 0 is the value `low` of its feature and what is below, 255 is `high` and what is above.
    """

    rate: Annotated[float, Meta(gt=0.0, le=1e9)]
    low: Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_ROWS)]
    high: Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_ROWS)]
    steps: Steps

    def __post_init__(self) -> None:
        """Raises ValueError unless every feature has a range."""
        if len(self.low) != len(self.high):
            raise ValueError(f"{len(self.low)} values of low, {len(self.high)} of high")
        for feature, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not (low < high and math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"feature {feature}: expected low < high, found {low:g}, {high:g}")

    @property
    def rows(self) -> int:
        """The height of a picture: the number of features."""
        return len(self.low)

    @property
    def step_seconds(self) -> float:
        """How far two columns are apart."""
        return 1 / self.rate

    @property
    def seconds(self) -> float:
        """How long one picture lasts."""
        return self.steps / self.rate


Signal = Audio | Features
"""How a sequence becomes a picture."""


def transform_size(spec: Audio) -> int:
    """Length of the Fourier transform: the next power of two from the window up."""
    return 1 << (spec.window - 1).bit_length()


def band_edges(spec: Audio) -> list[float]:
    """The corners of the triangles in Hz, `bands` + 2 of them, as even steps on the mel scale.

    mel(f) = 2595 log10(1 + f / 700) (O'Shaughnessy 1987; "HTK" in other tools).
    """
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (spec.low, spec.high))
    step = (high - low) / (spec.bands + 1)
    return [700 * (10 ** ((low + i * step) / 2595) - 1) for i in range(spec.bands + 2)]
