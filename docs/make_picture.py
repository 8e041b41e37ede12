"""Make the README's picture from a workspace whose line has run: `python docs/make_picture.py DIR`.

Needs a Chromium browser. Writes docs/demo.png, the top of DIR/report.html.
"""

import argparse
import sys
from pathlib import Path

from edgefactory.datasets.errors import EdgefactoryError
from edgefactory.pipelines.report import render_picture


def main() -> int:
    """Take the picture; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make docs/demo.png from a workspace's report.")
    parser.add_argument("workspace", type=Path, help="where `edgefactory demo` has run")
    out = Path(__file__).with_name("demo.png")
    try:
        render_picture(parser.parse_args().workspace / "report.html", out)
    except EdgefactoryError as error:
        print(f"make_picture: error: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return error.exit_code
    print(out)  # noqa: T201 - a command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
