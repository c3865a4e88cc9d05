"""Where a run happened: versions, commit, machine. Imports nothing heavy to find out."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    *("s2lab", "numpy", "numba", "torch", "gymnasium", "minigrid", "stable-baselines3"),
    *("sb3-contrib", "pgmpy", "wandb", "safetensors"),
)


def describe_machine() -> dict[str, Any]:
    """Versions, commit, command line and hardware, ready for JSON."""
    return {
        "format": 1,
        "python": platform.python_version(),
        "versions": versions(),
        "commit": commit(),
        "command": sys.argv,
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "gpu": _gpu_model(),
    }


def memory_mib() -> float:
    """What this process has in memory now; nan where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError, IndexError):
        return float("nan")


@cache
def versions() -> dict[str, str | None]:
    """The installed version of every package that can change a result."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


@cache
def commit() -> str | None:
    """The checkout's commit, "+" when files differ from it; None outside a checkout."""
    here = Path(__file__).resolve().parent
    if not (here.parent / ".git").exists():
        return None
    head = _git("rev-parse", "HEAD", folder=here)
    changed = _git("status", "--porcelain", "--untracked-files=no", folder=here)
    return f"{head}+" if head and changed else head


def _git(*arguments: str, folder: Path) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_model() -> str | None:
    """The GPU's name if torch is loaded already: finding out is not worth loading it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(0))
