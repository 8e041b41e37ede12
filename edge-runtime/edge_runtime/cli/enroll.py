"""Make this box a site: where releases come from, and which root of trust vouches for them."""

import argparse
from pathlib import Path

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import count, state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `enroll`."""
    parser.add_argument("--url", required=True, help="the base of the published tree, http(s)")
    root = parser.add_mutually_exclusive_group(required=True)
    root.add_argument("--root", type=Path, metavar="FILE", help="the root of trust, as a file")
    root.add_argument(
        "--fingerprint", metavar="SHA256", help="its SHA-256; the file comes from the URL"
    )
    parser.add_argument("--site", required=True, metavar="ID", help="the site's name")
    parser.add_argument("--region", default="", help="the site's region, for rollouts by region")
    parser.add_argument(
        "--quota", type=count, metavar="GB", help="the most disk that the state may take (4)"
    )


def run(options: argparse.Namespace, console: Console) -> None:
    """Enroll, and say who the site is."""
    from edge_runtime import durable
    from edge_runtime.enrolment import Enrolment, enroll, root_by_fingerprint
    from edge_runtime.state import MAX_ROOT_BYTES
    from edge_runtime.trust.http import Http

    if options.root is not None:
        root = durable.read(options.root, MAX_ROOT_BYTES, "root metadata")
    else:
        root = root_by_fingerprint(options.url, options.fingerprint, Http())
    quota = options.quota * 2**30 if options.quota else None
    enrolment = Enrolment(options.url, options.site, options.region, root, quota)
    state = state_of(options)
    site = enroll(state, enrolment)
    lines = (
        f"site {site.site} enrolled at {site.url}",
        f"root of trust {site.root_sha256}",
        f"device key    {site.device_key}",
        f"for whoever keeps the list of devices: {state.device_file}",
    )
    console.result(site, lines)
