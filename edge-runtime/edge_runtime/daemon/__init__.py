"""The unattended daemon: polls, proves, switches, watches, goes back.

`loop.Daemon` is the entry point; `settings` what an operator may say; `activation`, `shadow` and
`polling` decide, purely; `keeper` does it for one model; `updater` is the short-lived process that
fetches and tests; `book` writes the journal.
"""

from edge_runtime.daemon.settings import (
    ModelSettings,
    Settings,
    only,
    parse_settings,
    read_settings,
)

__all__ = [
    "ModelSettings",
    "Settings",
    "only",
    "parse_settings",
    "read_settings",
]
