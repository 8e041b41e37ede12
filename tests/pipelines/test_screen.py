"""What a person sees: plain lines, not too many of them."""

import io

from edgefactory.pipelines.screen import Screen, duration, roughly, size


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_off_a_terminal_is_plain_lines_some_seconds_apart() -> None:
    stream, clock = io.StringIO(), Clock()
    screen = Screen(stream, clock)
    for done in range(100):
        clock.now += 0.2
        screen.progress(done, 100, "frames")
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 5
    assert lines[0] == "       frames: 24/100"
    assert "\x1b" not in stream.getvalue()


def test_long_work_says_how_much_is_about_left() -> None:
    stream, clock = io.StringIO(), Clock()
    screen = Screen(stream, clock)
    screen.progress(200, 500, "pictures")  # an earlier run has done 200
    clock.now += 20
    screen.progress(220, 500, "pictures")  # one a second
    clock.now += 260
    screen.progress(480, 500, "pictures")
    clock.now += 20
    screen.progress(500, 500, "pictures")
    assert stream.getvalue().splitlines() == [
        "       pictures: 220/500, about 5 min left",
        "       pictures: 480/500, about 20 s left",
        "       pictures: 500/500",
    ]


def test_what_is_left_is_estimated_anew_for_other_work() -> None:
    stream, clock = io.StringIO(), Clock()
    screen = Screen(stream, clock)
    screen.progress(0, 500, "one")
    clock.now += 20
    screen.progress(0, 1000, "two")
    clock.now += 8
    screen.progress(10, 1000, "two")
    assert stream.getvalue().splitlines() == ["       two: 0/1000", "       two: 10/1000"]


def test_estimates_are_rough() -> None:
    said = [roughly(s) for s in (0.2, 14, 50, 58, 200, 5000, 9000)]
    assert said == ["10 s", "10 s", "50 s", "1 min", "3 min", "83 min", "2.5 h"]


def test_an_unknown_total_has_no_numbers() -> None:
    stream, clock = io.StringIO(), Clock()
    screen = Screen(stream, clock)
    clock.now += 10
    screen.progress(0, 0, "starting up")
    assert stream.getvalue() == "       starting up\n"


def test_lines_are_written_as_they_are() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.heading("1/2 [fetch]")
    screen.success("[ok]")
    assert stream.getvalue() == "1/2 [fetch]\n[ok]\n"


def test_times_and_sizes_are_said_as_people_say_them() -> None:
    assert [duration(s) for s in (0.44, 9.96, 61, 185.4)] == [
        "0.4 s",
        "10.0 s",
        "1 min 01 s",
        "3 min 05 s",
    ]
    assert [size(n) for n in (12, 225_300, 8_131_690, 2e9)] == [
        "12 B",
        "225 kB",
        "8.1 MB",
        "2.0 GB",
    ]
