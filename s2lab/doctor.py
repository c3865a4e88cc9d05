"""Is this installation able to work? Each finding is tried, not guessed. Trains nothing."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "numpy", "numba", "torch", "gymnasium", "minigrid", "stable-baselines3", "sb3-contrib",
    "pgmpy", "wandb",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    """What was looked at."""
    ok: bool
    """Whether it will do."""
    detail: str
    """What was found, or what to do about it."""

    def to_json(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def examine() -> list[Finding]:
    """Every finding, in the order in which problems should be solved."""
    findings = [
        Finding(
            "python",
            (3, 11) <= sys.version_info[:2] <= (3, 13),
            f"{platform.python_version()} (3.11 to 3.13 are supported)",
        )
    ]
    findings += [_package(name) for name in PACKAGES]
    checks: dict[str, Callable[[], str]] = {
        "cpu": lambda: f"{os.cpu_count()} cores, {platform.machine()}",
        "gpu": _gpu,
        "disk": _disk,
        "runs folder": _runs_folder,
        "worlds": _worlds,
        "agents": _agents,
        "discovery": _discovery,
        "weights & biases": _wandb,
    }
    return findings + [_try(name, check) for name, check in checks.items()]


def _try(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Exception as error:  # a doctor reports whatever goes wrong
        return Finding(name, False, " ".join(f"{type(error).__name__}: {error}".split()))


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "missing: pip install s2lab again")


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none; everything runs on the CPU"
    from s2lab.envs.device import missing

    name, lacking = torch.cuda.get_device_name(), missing()
    return name if lacking is None else f"{name}; worlds stay on the CPU: {lacking}"


def _disk() -> str:
    free = shutil.disk_usage(".").free / 2**30
    if free < 1:
        raise OSError(f"{free:.1f} GiB free here; runs need at least 1")
    return f"{free:.0f} GiB free here"


def _runs_folder() -> str:
    runs = Path("runs")
    nearest = runs if runs.exists() else Path(".")
    with tempfile.TemporaryFile(dir=nearest):
        return f"{runs.resolve()} is writable"


def _worlds() -> str:
    from s2lab.envs.external import make_external_vec, register_packages

    register_packages(())
    worlds = make_external_vec("BabyAI-GoToRedBallGrey-v0", 2)
    try:
        observation, _ = worlds.reset(seed=0)
        worlds.step(worlds.action_space.sample())
        return f"minigrid steps; image {observation['image'].shape}"
    finally:
        worlds.close()


def _agents() -> str:
    import torch

    from s2lab.agents.cores import CORES, make_core

    for name in CORES:
        core = make_core(name, 8)
        reset = torch.zeros(2, 3, dtype=torch.bool)
        core(torch.zeros(2, 3, 8), core.initial_state(3), reset)[0].sum()
    return f"{len(CORES)} cores run: {', '.join(CORES)}"


def _discovery() -> str:
    from s2lab.causal.discovery import make_discoverer
    from s2lab.causal.networks import load_network
    from s2lab.causal.testing import assert_recovers

    assert_recovers(make_discoverer("exact"), load_network("asia"), seeds=(0,))
    return "Asia recovered without a mistake (SHD 0) from observations and interventions"


def _wandb() -> str:
    import wandb

    key = bool(os.environ.get("WANDB_API_KEY")) or (Path.home() / ".netrc").exists()
    online = "a key is set" if key else "no key, so --track online will not do"
    return f"{wandb.__version__}, offline always works; {online}"
