"""What a stream may be read from, and how it is called where others may read it.

A URL's user, password, path and query stay out of every log, report and page: cameras take
passwords in any of these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from edge_runtime.errors import InputError

# What FFmpeg may open in turn: a playlist of a camera must not name a file of ours, nor a file a
# server. Over TCP a picture comes whole or not at all; UDP is for cameras that refuse TCP.
_WEB: Final = {"protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto"}
_RTSP: Final = {"protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,udp", "rtsp_flags": "prefer_tcp"}
_FILE: Final = {"protocol_whitelist": "file"}
OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "http": _WEB,
    "https": _WEB,
    "rtsp": _RTSP,
    "rtsps": _RTSP,
}
_SCHEME = re.compile("([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class Source:
    """Where pictures come from. `url` is for FFmpeg only, `shown` for everybody; `place` is the URL
    without user and password.

    What is not `live` is a file, that ends.
    """

    url: str = field(repr=False)
    place: str = field(repr=False)
    shown: str
    live: bool
    options: Mapping[str, str]


def source_of(text: str, folder: Path) -> Source:
    """The source that `text` names: a URL, or a file, whose path begins at `folder`.

    Raises InputError, which does not repeat a URL.
    """
    found = _SCHEME.match(text)
    if found is None:
        if not text or "\0" in text:
            raise InputError("a source is a file or a URL; this is neither")
        url = f"file:{folder / text}"
        return Source(url, url, text, False, _FILE)
    scheme = found[1].lower()
    if scheme not in OPTIONS:
        known = ", ".join(f"{name}://" for name in OPTIONS)
        raise InputError(f"{scheme}:// cannot be a source; a file or {known} can")
    try:
        parts = urlsplit(text)
        host = _host(parts)
    except ValueError:
        raise InputError(
            f"the host and port of the {scheme}:// source cannot be told apart; in a password "
            "write / ? # @ : as %2F %3F %23 %40 %3A"
        ) from None
    place = parts._replace(netloc=host).geturl()
    return Source(text, place, f"{scheme}://{host}", True, OPTIONS[scheme])


def _host(parts: SplitResult) -> str:
    """Host and port. Raises ValueError where a part of a password could pass for them."""
    if not parts.hostname or "@" in parts.path + parts.query + parts.fragment:
        raise ValueError
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if parts.port is None else f"{host}:{parts.port}"
