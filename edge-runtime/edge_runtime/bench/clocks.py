"""How long a call takes, by both clocks."""

import time
from collections.abc import Callable

FINE_NS = 100_000  # a processor clock that steps further cannot time one call
LOOK_NS = 50_000_000


def timed(call: Callable[[], object]) -> tuple[int, int]:
    """Nanoseconds of one call: on the wall, and of processor time over all threads."""
    processor, wall = time.process_time_ns(), time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - wall, time.process_time_ns() - processor


def processor_clock_is_fine() -> bool:
    """False where processor time moves in steps of a timer, as on Linux under RLIMIT_CPU."""
    start, end = time.process_time_ns(), time.perf_counter_ns() + LOOK_NS
    while (step := time.process_time_ns() - start) == 0:
        if time.perf_counter_ns() > end:
            return False
    return step <= FINE_NS
