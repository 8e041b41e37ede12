"""Memory that a gone model leaves behind goes back to the system."""

import ctypes
import os
import threading


def trim() -> None:
    """Give freed memory back (glibc's malloc_trim); without it every swap leaves some."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # another libc
        return


def be_nice() -> None:
    """Let this thread give way to those that serve (Linux: niceness is per thread)."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    except OSError:  # a sandbox forbids it; the work is only less polite
        return
