"""Where people see a snapshot's pictures: in the local server's folder, uploaded, or at a URL."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from edgefactory.datasets.carrying import place
from edgefactory.datasets.documents import Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import storage_errors
from edgefactory.datasets.snapshot import picture_bytes
from edgefactory.datasets.studio.client import Project, Studio

_UPLOADS: Final = 10  # pictures a request

Urls = Callable[[Sequence[Item]], Mapping[str, str]]
"""Shows the pictures of items to a project's people; says where each is seen, by item id."""


def served_urls(base_url: str) -> Urls:
    """Pictures that lie on a web server of the user's own, in the snapshot's layout."""
    if not base_url.startswith(("http://", "https://")):
        raise InputError(f"{base_url!r} is no base URL for pictures; expected http(s)://...")
    return lambda items: {item.id: f"{base_url.rstrip('/')}/{item.file}" for item in items}


def local_urls(studio: Studio, project: Project, folder: Path, pictures: Path) -> Urls:
    """Pictures of the snapshot in `folder`, linked into the local server's folder `pictures`."""
    studio.serve_folder(project, str(pictures))

    def show(items: Sequence[Item]) -> dict[str, str]:
        urls = {}
        for item in items:
            name = Path(item.file).name
            _link(folder / item.file, pictures / name)
            urls[item.id] = f"/data/local-files/?d={quote(f'{pictures.name}/{name}')}"
        return urls

    return show


def uploaded_urls(studio: Studio, project: Project, folder: Path) -> Urls:
    """Pictures of the snapshot in `folder`, sent to the server unless it has them already."""

    def present() -> dict[str, str]:
        # The server puts a random prefix and a dash before the name.
        found = {upload.file.rpartition("-")[2]: upload.file for upload in studio.uploads(project)}
        return {name.partition(".")[0]: f"/data/{file}" for name, file in found.items()}

    def show(items: Sequence[Item]) -> dict[str, str]:
        known = present()
        missing = [item for item in items if item.id not in known]
        for start in range(0, len(missing), _UPLOADS):
            studio.upload(
                project,
                {
                    Path(item.file).name: picture_bytes(folder, item)
                    for item in missing[start : start + _UPLOADS]
                },
            )
        known = present() if missing else known
        lost = next((item.id for item in items if item.id not in known), None)
        if lost is not None:
            raise InputError(f"{studio.url} did not keep the picture {lost[:12]}; push again")
        return {item.id: known[item.id] for item in items}

    return show


def _link(picture: Path, target: Path) -> None:
    if target.exists():
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with storage_errors(target):
        place(picture, draft)
        draft.replace(target)
