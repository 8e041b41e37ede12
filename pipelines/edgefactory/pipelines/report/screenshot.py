"""One picture of the page's top, for the README: headless Chromium, then few enough bytes."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import write_file

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOST_BYTES = 300_000
PATIENCE_SECONDS = 90
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


def render_picture(page: Path, out: Path, size: tuple[int, int] = (1200, 700)) -> None:
    """Write the first `size` pixels of `page` to `out` as a PNG of at most 300 kB.

    Raises MissingError without a Chromium browser, InputError when there is no such page.
    """
    if not page.is_file():
        raise InputError(f"{page} does not exist; run `edgefactory report` first")
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise MissingError(
            f"none of {', '.join(BROWSERS)} is installed; the picture is taken by one of them "
            "(Debian: apt-get install chromium)"
        )
    with tempfile.TemporaryDirectory(prefix="edgefactory-picture-") as scratch:
        shot = Path(scratch) / "shot.png"
        # Chromium's sandbox refuses to run as root, which is what containers are.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [browser, *FLAGS, *root, f"--user-data-dir={scratch}/profile"]
        command += [f"--window-size={size[0]},{size[1]}", f"--screenshot={shot}"]
        command += [page.resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        if not shot.is_file():
            raise MissingError(f"{browser} took no picture (exit code {done.returncode})")
        write_file(out, _small(shot))


def _small(shot: Path) -> bytes:
    """The picture with as many colours as MOST_BYTES allow."""
    with Image.open(shot) as image:
        picture = image.convert("RGB")
    for colours in (256, 192, 128, 96, 64, 32):
        buffer = io.BytesIO()
        # k-means keeps the few pixels of the boxes in their own colours.
        few = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=4)
        few.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue()
    raise InputError(f"the picture has more than {MOST_BYTES} bytes even in 32 colours")
