"""What has come lies in order, however it was read and taken, while others use the same buffer."""

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.serving.inbox import Inbox


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.integers(0, 12)), max_size=12))
def test_bytes_are_taken_as_they_came(reads: list[tuple[bytes, int]]) -> None:
    shared = bytearray(9)
    inbox, waiting = Inbox(shared), b""
    for data, wanted in reads:
        shared[: len(data)] = data
        inbox.came(len(data))
        waiting += data
        count = min(wanted, len(waiting))
        assert inbox.take(count) == waiting[:count]
        waiting = waiting[count:]
        inbox.keep()
        shared[:] = b"?" * 9  # another connection is read
        assert len(inbox) == len(waiting)
    assert inbox.take(len(waiting)) == waiting


@given(st.lists(st.text("ab", min_size=1, max_size=4), max_size=8), st.integers(0, 4))
def test_an_end_is_found_where_it_is(reads: list[str], start: int) -> None:
    shared = bytearray(b"ab" * 8)  # what lies behind the read is not of it
    inbox, waiting = Inbox(shared), b""
    for data in (text.encode() for text in reads):
        shared[: len(data)] = data
        inbox.came(len(data))
        waiting += data
        assert inbox.find(b"ab", start) == waiting.find(b"ab", start)
        inbox.keep()
        assert inbox.find(b"ab", start) == waiting.find(b"ab", start)


def test_what_is_cleared_is_gone() -> None:
    inbox = Inbox(bytearray(b"abc"))
    inbox.came(3)
    inbox.clear()
    assert not inbox
    assert inbox.take(0) == b""
