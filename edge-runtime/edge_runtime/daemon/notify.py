"""What systemd is told of the daemon: sd_notify(3), without a library."""

import os
import socket


def notify(*states: str) -> None:
    """Send `states` ("READY=1", "STATUS=…") to $NOTIFY_SOCKET; nothing where there is none.

    A lost message is not worth an error: systemd then acts by its own clock.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(states).encode(), address)
    except OSError:
        return


def watchdog_s() -> float | None:
    """How often (seconds) systemd wants to hear WATCHDOG=1: half of its limit, None: never."""
    text, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not text.isdigit() or pid not in {"", str(os.getpid())}:
        return None
    return int(text) / 2e6
