"""People, through Label Studio: a local server, pictures out as tasks, answers back as labels.

`serve` brings up a server; `push` and `pull` work with that one or any other, by URL and token.
"""

from edgefactory.datasets.studio.account import Account, default_data, read_account
from edgefactory.datasets.studio.agreement import Agreement, Pair
from edgefactory.datasets.studio.client import Project, Studio
from edgefactory.datasets.studio.pictures import Urls, local_urls, served_urls, uploaded_urls
from edgefactory.datasets.studio.pulling import Conflict, Pulled, pull
from edgefactory.datasets.studio.pushing import (
    Pushed,
    PushSettings,
    project_title,
    push,
    waiting,
)
from edgefactory.datasets.studio.server import Server, serve
from edgefactory.datasets.studio.status import Person, Status, status
from edgefactory.datasets.studio.tokens import VARIABLE, find_token

__all__ = [
    "VARIABLE",
    "Account",
    "Agreement",
    "Conflict",
    "Pair",
    "Person",
    "Project",
    "Pulled",
    "PushSettings",
    "Pushed",
    "Server",
    "Status",
    "Studio",
    "Urls",
    "default_data",
    "find_token",
    "local_urls",
    "project_title",
    "pull",
    "push",
    "read_account",
    "serve",
    "served_urls",
    "status",
    "uploaded_urls",
    "waiting",
]
