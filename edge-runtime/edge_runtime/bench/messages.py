"""What the measuring process and its parent say to each other: a JSON object a line.

The parent sends a `Job`; the child answers `Opened` or `Refused`. Then the parent sends numbers of
calls, each answered by a `Block`; 0 ends it, answered by `Closed`.
"""

from msgspec import Struct

from edge_runtime.contract import Engine, Host, Precision


class Job(Struct, frozen=True):
    """`files`: the engine's names → paths. `memory`: bytes that the child may use."""

    files: dict[str, str]
    main: str
    engine: Engine
    precision: Precision | None
    threads: int
    seed: int
    memory: int


class Opened(Struct, frozen=True, tag="opened"):
    """The model is loaded and has run once. `fine_clock`: processor time can time one call."""

    file_sha256: str
    files_sha256: tuple[str, ...]
    bytes: int
    engine_version: str
    precision: Precision
    input: tuple[int, ...]
    load_ms: float
    peak_gflops: float
    fine_clock: bool
    host: Host


class Refused(Struct, frozen=True, tag="refused"):
    """It cannot be measured; the code is the error's exit code."""

    exit_code: int
    error: str


class Block(Struct, frozen=True, tag="block"):
    """Calls one after the other, and the reference just before and after; all in nanoseconds.

    `before` and `after` are (wall, processor).
    """

    wall: list[int]
    processor: list[int]
    before: tuple[int, int]
    after: tuple[int, int]


class Closed(Struct, frozen=True, tag="closed"):
    """`memory_bytes`: the most that the process held at once, all included."""

    memory_bytes: int
    peak_gflops: float


Answer = Opened | Refused | Block | Closed
