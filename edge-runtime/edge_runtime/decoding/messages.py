"""What a decoder's process and its parent say to each other; pictures lie in shared memory.

The parent sends `Play`, then `Next` as often as it likes; each `Next` is answered by `Shown`, when
there is a picture that it has not had, or by `Over`, after which there is none.
"""

from msgspec import Struct


class Play(Struct, frozen=True, tag="play"):
    """Open `url` with FFmpeg's `options`. Of a source that is `live` the newest picture is shown,
    of any other each that `fps` asks for, not before its time."""

    url: str
    options: dict[str, str]
    live: bool
    fps: float


class Next(Struct, frozen=True, tag="next"):
    """The next picture, please."""


class Shown(Struct, frozen=True, tag="shown"):
    """A picture, uint8 [height,width,3] RGB: its index among all that were decoded, its time."""

    index: int
    seconds: float
    height: int
    width: int


class Over(Struct, frozen=True, tag="over"):
    """No more pictures: the source has ended, or why it cannot go on."""

    why: str
    ended: bool = False
