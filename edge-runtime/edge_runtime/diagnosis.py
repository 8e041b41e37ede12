"""What this box has and lacks, for `edge-runtime doctor`."""

import importlib.util
import time
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from edge_runtime import durable, engines
from edge_runtime.engines.providers import providers_here
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hardware import hardware_classes
from edge_runtime.state import State
from edge_runtime.store import load_journal
from edge_runtime.trust import highwater


class Check(Struct, frozen=True):
    """One finding. "missing" is optional or not done yet; "broken" keeps the box from running."""

    name: str
    state: Literal["ok", "missing", "broken"]
    found: str


def examine(state: State) -> list[Check]:
    """Every finding about this box and its state folder."""
    return [*_engines(), *_video(), *_state(state)]


def _engines() -> Iterator[Check]:
    yield Check("hardware", "ok", ", ".join(hardware_classes()))
    for name in engines.ENGINES:
        reason = engines.unavailable(name)
        if reason is None:
            yield Check(f"engine {name}", "ok", engines.engine_version(name))
        else:
            yield Check(f"engine {name}", "missing", reason)
    if providers := providers_here():
        yield Check("providers of onnxruntime", "ok", ", ".join(sorted(providers)))
    if all(engines.unavailable(name) for name in engines.ENGINES):
        yield Check("engines", "broken", "no engine works here: pip install onnxruntime")


def _video() -> Iterator[Check]:
    if importlib.util.find_spec("av") is None:
        hint = "PyAV is not installed: pip install 'edgefactory-runtime[video]'"
        yield Check("video", "missing", hint)
        return
    import av

    encoder = "libvpx-vp9" in av.codecs_available
    text = f"PyAV {av.__version__}" + ("" if encoder else ", without a VP9 encoder: no clips")
    yield Check("video", "ok" if encoder else "missing", text)


def _state(state: State) -> Iterator[Check]:
    try:
        durable.make_folder(state.folder)
        probe = state.folder / "probe"
        durable.write(probe, b"")
        probe.unlink()
    except EdgeRuntimeError as error:
        yield Check("state", "broken", str(error))
        return
    if not state.site_file.exists():
        yield Check("site", "missing", f"{state.folder} is not enrolled: `edge-runtime enroll`")
        return
    try:
        site = state.site()
        marks = highwater.load(state.trust)
        highwater.check_clock(marks, time.time())
        models = load_journal(state.journal).models
    except EdgeRuntimeError as error:
        yield Check("site", "broken", str(error))
        return
    running = [f"{m} {s.active.version}" for m, s in models.items() if s.active]
    yield Check("site", "ok", f"{site.site} from {site.url}")
    yield Check("models", "ok" if running else "missing", ", ".join(running) or "none active yet")
