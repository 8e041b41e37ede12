"""Memory and graphics cards; `edgefactory.compress.host` knows the CPU."""

import os
import shutil
import subprocess
from pathlib import Path

DRI = Path("/dev/dri")
INTEL = "0x8086"


def memory_bytes() -> int:
    """The machine's main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def nvidia() -> tuple[str, ...]:
    """The NVIDIA GPUs that the driver knows, by name; none where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        done = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return tuple(line.strip() for line in lines if line.strip())


def intel_gpus() -> tuple[str, ...]:
    """Render nodes under /dev/dri that belong to an Intel GPU."""
    nodes = sorted(DRI.glob("renderD*")) if DRI.is_dir() else []
    return tuple(str(node) for node in nodes if _vendor(node) == INTEL)


def _vendor(node: Path) -> str:
    try:
        return Path(f"/sys/class/drm/{node.name}/device/vendor").read_text().strip()
    except OSError:
        return ""
