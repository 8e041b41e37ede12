"""Make a request that no site runs MODEL@VERSION or anything older any more.

It raises the model's lowest sequence above that version's, for good. Signed and put into force as
`release block`, which takes out one version only.
"""

from argparse import Namespace

from edgefactory.pipelines.commands.release_block import ban, options
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

__all__ = ["HELP", "STAGE", "options", "run"]

HELP = "ask that no site runs a release or older ones"
STAGE: str | None = None


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A version and a reason -> a request."""
    return ban(args, "revoke")
