"""Models answer over HTTP: the Open Inference Protocol, plain pictures, metrics, a status page.

`Server(host, settings, status)` serves what a `hosting.Host` has loaded: `start()` returns when it
listens, `stop(drain_s)` when the last request is answered. See docs/serving.md.
"""

from edge_runtime.serving.server import Server, check_listening
from edge_runtime.serving.settings import Limits, ServingSettings, listen_on
from edge_runtime.serving.status import Panel, Row, Status

__all__ = [
    "Limits",
    "Panel",
    "Row",
    "Server",
    "ServingSettings",
    "Status",
    "check_listening",
    "listen_on",
]
