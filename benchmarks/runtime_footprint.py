"""What the runtime takes on a box: a fresh environment of its pins, a process with a 10 MB model.

`install_mb` counts the files of the wheels without byte-code, `compiled_mb` also the byte-code
that runs leave, `packages` the distributions that it needs. `ready_ms` is from the start of the
process to its first decision about a JPEG, the self-test included, `rss_mb` what is resident then,
the worker of OpenVINO included; medians of processes that find their byte-code, and for OpenVINO
the compiled model, on the disk. Neither a server nor a stream runs in them; `daemon_ready_ms` and
`daemon_rss_mb` are of `edge-runtime run` until its server says that it is ready.

The floor is a process, in turns with ours, that imports NumPy and the engine, loads the same file
and runs it once: no decoding, no digest, no self-test.
"""

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from edge_runtime import durable
from edge_runtime.contract import Engine
from edge_runtime.state import State
from edge_runtime.store import Journal, ModelSlots, save_journal
from edge_runtime.trust import highwater
from measured import Bound, Measured
from ten_megabytes import activate, classifier, picture

SAYS = "size, packages, memory and start of the runtime in an environment of its own"

_ROOT: Final = Path(__file__).parents[1]
_RUNS: Final = 7

_PROCESS: Final = """
import sys
from pathlib import Path
from edge_runtime import Runtime
runtime = Runtime(sys.argv[1])
runtime.infer(sys.argv[2])
print("ready", flush=True)
sessions = [loaded.session for loaded in runtime._here.values()]
total = 0
for process in ["self", *(str(s.process) for s in sessions if hasattr(s, "process"))]:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        total += int(line.split()[1]) if line.startswith("VmRSS:") else 0
print(total)
"""


_BARE: Final = """
import sys
import numpy
if sys.argv[1] == "onnxruntime":
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[2], options, ["CPUExecutionProvider"])
    session.run(None, {"image": numpy.zeros((1, 128, 128, 3), numpy.uint8)})
else:
    import openvino
    core = openvino.Core()
    settings = {"CACHE_DIR": sys.argv[3], "INFERENCE_NUM_THREADS": 1}
    core.compile_model(sys.argv[2], "CPU", settings)(numpy.zeros((1, 128, 128, 3), numpy.uint8))
print("ready", flush=True)
for line in open("/proc/self/status"):
    if line.startswith("VmRSS:"):
        print(line.split()[1])
"""


def run(_full: bool, /) -> Measured:
    """Install, look, start."""
    metrics: dict[str, float] = {}
    floor: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _environment(folder / "venv")
        site = _site_packages(folder / "venv")
        metrics["install_mb"] = _megabytes(site)
        metrics["packages"] = len(list(site.glob("*.dist-info")))
        _started(python, folder, "onnxruntime", "", metrics, floor)
        metrics["compiled_mb"] = _megabytes(site)
        _install(python, _pins("cloud.txt", only="openvino"), folder)
        metrics["openvino.install_mb"] = round(_megabytes(site) - metrics["compiled_mb"], 1)
        _started(python, folder, "openvino", "openvino.", metrics, floor)
    bounds = {
        "install_mb": Bound("at_most", 160),
        "packages": Bound("at_most", 14),
        "rss_mb": Bound("at_most", 90),
        "ready_ms": Bound("at_most", 250),
        "openvino.ready_ms": Bound("at_most", 400),
    }
    return Measured(metrics, floor, bounds)


def _environment(venv: Path) -> Path:
    """An environment with the pins of the branch, less the video extra, and this very runtime."""
    from edgefactory.datasets.environments import make_venv

    make_venv(venv)
    python = venv / "bin" / "python"
    _install(python, _pins("edge.txt", without="av"), venv)
    shutil.copytree(
        _ROOT / "edge-runtime" / "edge_runtime",
        _site_packages(venv) / "edge_runtime",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return python


def _pins(file: str, only: str = "", without: str = "") -> str:
    """The pins of `file` with their hashes: of package `only`, or all but `without`."""
    lines, kept = [], False
    for line in (_ROOT / "requirements" / file).read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            name = line.partition("==")[0]
            kept = name == only if only else name != without
        if kept:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _install(python: Path, pins: str, folder: Path) -> None:
    from edgefactory.datasets.environments import pip_install

    file = folder / "pins.txt"
    file.write_text(pins, encoding="utf-8")
    what = ["--no-compile", "--require-hashes", "--no-deps", "--requirement", str(file)]
    pip_install(python, what, "the runtime's packages could not be installed")


def _started(
    python: Path,
    folder: Path,
    engine: Engine,
    prefix: str,
    metrics: dict[str, float],
    floor: dict[str, float],
) -> None:
    """Start in turns the bare engine, the runtime and the daemon, and note their medians."""
    state, jpeg, model = State(folder / engine), folder / "picture.jpg", folder / "model.onnx"
    _activate(state, engine)
    model.write_bytes(classifier(0))
    Image.fromarray(picture(0)).resize((640, 480)).save(jpeg)
    start = [str(python), "-I", "-c"]
    cache = folder / "cache"
    bare = [*start, _BARE, engine, str(model), str(cache)]
    ours = [*start, _PROCESS, str(state.folder), str(jpeg)]
    found = [(_once(bare), _once(ours), _daemon(python, state)) for _ in range(_RUNS + 1)]
    columns = zip(*found[1:], strict=True)  # the first one compiles
    kept = ((floor, ""), (metrics, ""), (metrics, "daemon_"))
    for (into, which), column in zip(kept, columns, strict=True):
        ready, memory = (statistics.median(values) for values in zip(*column, strict=True))
        into[f"{prefix}{which}ready_ms"] = round(ready, 1)
        into[f"{prefix}{which}rss_mb"] = round(memory, 1)


def _activate(state: State, engine: Engine) -> None:
    """A site at which the classifier is active, as after an update."""
    slot = activate(state, engine, 1).slot
    durable.make_folder(state.trust)
    highwater.save(state.trust, highwater.Marks())
    save_journal(state.journal, Journal(models={"ten-megabytes": ModelSlots(slot)}))


def _once(command: Sequence[str]) -> tuple[float, float]:
    """Milliseconds to ready, and MB then."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        seconds = time.perf_counter() - started
        memory = process.stdout.readline()
    if ready != "ready\n" or process.returncode:
        sys.exit(f"the runtime did not start: exit code {process.returncode}")
    return seconds * 1000, int(memory) / 1024


def _daemon(python: Path, state: State) -> tuple[float, float]:
    """Milliseconds until the daemon on `state` says that it is ready, and MB of it all then."""
    code = "import sys; from edge_runtime.cli import main; sys.exit(main())"
    command = [str(python), "-I", "-c", code, "run", "--state", str(state.folder)]
    state.socket.unlink(missing_ok=True)
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while not _answers(state.socket):
                if process.poll() is not None or time.perf_counter() - started > 30:
                    sys.exit(f"the daemon is not ready: exit code {process.poll()}")
                time.sleep(0.001)
            seconds = time.perf_counter() - started
            return seconds * 1000, _resident_mb(process.pid)
        finally:
            process.terminate()


def _answers(where: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(where))
            client.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: here\r\n\r\n")
            return b" 200 " in client.recv(64)
        except OSError:
            return False


def _resident_mb(process: int) -> float:
    """Of a process and the processes that it has begun."""
    begun = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
    return own + sum(_resident_mb(int(child)) for child in begun)


def _site_packages(venv: Path) -> Path:
    return next((venv / "lib").glob("python3*/site-packages"))


def _megabytes(folder: Path) -> float:
    """Without pip and what it brings, which the runtime does not need."""
    tools = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
    files = (
        file
        for file in folder.rglob("*")
        if file.is_file() and not file.relative_to(folder).parts[0].startswith(tools)
    )
    return round(sum(file.lstat().st_size for file in files) / 1e6, 1)
