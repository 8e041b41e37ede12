"""What an operator may tell the daemon: `daemon.toml` in the state folder. All has a default."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from edge_runtime import durable
from edge_runtime.contract import Engine
from edge_runtime.contract.release import Name
from edge_runtime.errors import InputError, MissingError

MAX_SETTINGS_BYTES = 256 * 1024
MOST_STREAMS = 64

Seconds = Annotated[float, Meta(gt=0, le=30 * 86400)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Whole = Annotated[int, Meta(ge=1, le=1_000_000)]


class ModelSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How one model runs; `engine` None: the fastest here."""

    engine: Engine | None = None
    threads: Annotated[int, Meta(ge=1, le=256)] = 1


class PollSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a site asks for updates, and how long one may take before it is ended."""

    interval_s: Seconds = 900.0
    first_backoff_s: Seconds = 30.0
    longest_backoff_s: Seconds = 3600.0
    deadline_s: Seconds = 3600.0


class ShadowSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """When a release on trial may take over from what runs; see `daemon.shadow`.

    A share of pictures up to `accept` on which they disagree is fine, one from `refuse` up is
    not; `error` bounds the probability of either mistake. Decided on `least` to `most` pictures,
    one in `spacing_s` at most, within `wait_s`. Scores may differ by `score`, boxes overlap by
    `iou`.
    """

    accept: Share = 0.05
    refuse: Share = 0.25
    error: Annotated[float, Meta(ge=1e-9, le=0.1)] = 0.001
    least: Whole = 50
    most: Whole = 1000
    spacing_s: Annotated[float, Meta(ge=0, le=3600)] = 1.0
    wait_s: Seconds = 3600.0
    score: Share = 0.15
    iou: Share = 0.4


class DwellSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a new release is on probation, and what it may not exceed meanwhile.

    `errors` is a share of requests, `latency_ms` a limit on p99; where it is None, p99 may be
    `latency_ratio` times that of the release before it.
    """

    seconds: Seconds = 600.0
    errors: Share = 0.01
    latency_ms: Annotated[float, Meta(gt=0)] | None = None
    latency_ratio: Annotated[float, Meta(ge=1)] = 3.0


class CrashSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`starts` of a release within `minutes` without a commit are a crash loop; a load that takes
    longer than `load_s` hangs."""

    starts: Annotated[int, Meta(ge=2, le=16)] = 3
    minutes: Annotated[float, Meta(gt=0, le=1440)] = 30.0
    load_s: Seconds = 300.0


class ServeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may ask the models, beside who may open the state's unix socket.

    `listen` is HOST:PORT for TCP (None: the socket only). Beyond loopback `token`, `certificate`
    and `key` are demanded: files, named from the state folder on. `live` keeps the last picture for
    the status page. At the end, requests have `drain_s` to be answered.
    """

    listen: str | None = None
    token: str | None = None
    certificate: str | None = None
    key: str | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] = 2
    live: bool = True
    drain_s: Seconds = 5.0


class TelemetrySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is watched is told once in `every_s`: POSTed to the URL `collector`, or, without one,
    put into the folder `telemetry` of the state."""

    collector: str | None = None
    every_s: Annotated[float, Meta(ge=1, le=86400)] = 3600.0


class StreamSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What `model` looks at: `source` is a URL (rtsp, rtsps, http, https) or a file, named from the
    state folder on.

    It decides `fps` times a second at most, and counts who crosses `line` (x0,y0,x1,y1 in pixels of
    the picture; None: nobody). A source that shows nothing for `silent_s` is opened anew.
    """

    source: str
    model: Name
    fps: Annotated[float, Meta(gt=0, le=60)] = 5.0
    line: str | None = None
    silent_s: Seconds = 15.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them. `models` empty: every model that the journal knows. `telemetry` None: nothing is
    told. What `serve` and `telemetry` say counts from the next start on."""

    models: dict[str, ModelSettings] = {}
    poll: PollSettings = PollSettings()
    shadow: ShadowSettings = ShadowSettings()
    dwell: DwellSettings = DwellSettings()
    crash: CrashSettings = CrashSettings()
    serve: ServeSettings = ServeSettings()
    telemetry: TelemetrySettings | None = None
    streams: Annotated[dict[Name, StreamSettings], Meta(max_length=MOST_STREAMS)] = {}


def read_settings(path: Path) -> Settings:
    """The settings at `path`; the defaults when there is no file. Raises InputError."""
    try:
        data = durable.read(path, MAX_SETTINGS_BYTES, "the daemon's settings")
    except MissingError:
        return Settings()
    try:
        return parse_settings(data.decode())
    except (UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: {error}") from error


def parse_settings(text: str) -> Settings:
    """The settings in `text` (TOML). Raises InputError, with the nearest name for a wrong one."""
    try:
        found = msgspec.convert(tomllib.loads(text), Settings)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InputError(f"{error}{_nearest(str(error))}") from error
    if found.shadow.accept >= found.shadow.refuse:
        raise InputError("shadow.accept must be below shadow.refuse")
    if found.shadow.least > found.shadow.most:
        raise InputError("shadow.least must not be above shadow.most")
    if found.telemetry is not None and found.telemetry.collector is not None:
        _check_collector(found.telemetry.collector)
    for name, stream in found.streams.items():
        try:
            _check(stream)
        except InputError as error:
            raise InputError(f"streams.{name}: {error}") from None
    return found


def only(settings: Settings, model: str, threads: int) -> Settings:
    """The settings where nothing but `model` runs, by its section or with `threads`: without the
    streams of other models that have one."""
    wanted = settings.models.get(model) or ModelSettings(threads=threads)
    others = settings.models.keys() - {model}
    streams = {name: s for name, s in settings.streams.items() if s.model not in others}
    return msgspec.structs.replace(settings, models={model: wanted}, streams=streams)


def _check(stream: StreamSettings) -> None:
    """Raises InputError, which does not repeat the source: it may hold a password."""
    from edge_runtime.decoding.source import source_of

    source_of(stream.source, Path())
    if stream.line is not None:
        from edge_runtime.streams.lines import parse_line

        parse_line(stream.line)


def _check_collector(url: str) -> None:
    """Raises InputError, which does not repeat the URL."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise InputError("telemetry.collector is not a URL with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise InputError(
            "telemetry.collector has a user or password, which are not sent; messages are signed "
            "by this site's key: leave them out"
        )


def _nearest(message: str) -> str:
    unknown = re.search(r"unknown field `([^`]*)`", message)
    if unknown is None:
        return ""
    sections = (
        Settings,
        ModelSettings,
        PollSettings,
        ShadowSettings,
        DwellSettings,
        CrashSettings,
        ServeSettings,
        TelemetrySettings,
        StreamSettings,
    )
    names = [name for section in sections for name in section.__struct_fields__]
    near = difflib.get_close_matches(unknown[1], names, 1, 0.5)
    return f"; did you mean `{near[0]}`?" if near else ""
