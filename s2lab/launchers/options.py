"""What a launcher is told: `--launcher slurm --launch partition=gpu timeout_min=600`.

Knows neither submitit nor Ray.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from s2lab.errors import UserError, unknown

Launcher = Literal["local", "slurm", "ray"]
LAUNCHERS: dict[Launcher, str] = {
    "local": "processes of this machine, side by side",
    "slurm": "one SLURM array; a preempted job is requeued and goes on from its checkpoint",
    "ray": "a Ray cluster; a run whose worker dies goes on elsewhere from its checkpoint",
}


@dataclass(frozen=True)
class SlurmOptions:
    """A SLURM array, one task a run."""

    cluster: Literal["slurm", "local"] = "slurm"
    """`local` runs the same jobs as processes of this machine, to try a submission out."""
    partition: str = ""
    """Empty for the cluster's default."""
    timeout_min: int = 1440
    """Minutes a job may take before it is requeued."""
    cpus: int = 1
    """Cores per run."""
    gpus: int = 0
    """GPUs per run."""
    mem_gb: int = 4
    """Memory per run."""
    at_once: int = 256
    """Runs of the array at a time."""
    requeues: int = 20
    """How often a job may run out of time; preemptions are not counted."""
    account: str = ""
    """Empty for none."""
    setup: str = ""
    """A shell command before each job, such as `module load cuda`."""


@dataclass(frozen=True)
class RayOptions:
    """Tasks of a Ray cluster, one a run."""

    cpus: float = 1.0
    """Cores per run."""
    gpus: float = 0.0
    """GPUs per run, fractions allowed."""
    mem_gb: float = 0.0
    """Memory per run that Ray sets aside; 0 for no claim."""
    retries: int = 20
    """How often a run is taken up again after its worker or node was lost."""


@dataclass(frozen=True)
class Launch:
    """The chosen launcher and its options."""

    launcher: Launcher = "local"
    """Where runs are worked on."""
    slurm: SlurmOptions = SlurmOptions()
    """Read by slurm only."""
    ray: RayOptions = RayOptions()
    """Read by ray only."""
    ray_address: str = "auto"
    """`auto` for the cluster of this machine, or its head as host:port or ray://host:port."""

    @classmethod
    def parse(cls, launcher: Launcher, words: Mapping[str, str], ray_address: str) -> "Launch":
        """From the words of the command line.

        Raises:
            UserError: an unknown option, or a value that will not do.
        """
        if launcher == "local":
            if words:
                raise UserError(
                    f"--launch {' '.join(words)}: the local launcher has no options; "
                    "use --parallel, or --launcher slurm or ray"
                )
            return cls(launcher, ray_address=ray_address)
        kind: type[SlurmOptions] | type[RayOptions]
        kind = SlurmOptions if launcher == "slurm" else RayOptions
        known = {entry.name: entry.type for entry in fields(kind)}
        chosen: dict[str, Any] = {}
        for name, text in words.items():
            if name not in known:
                raise unknown(f"option of {launcher}", name, known, f"they are {', '.join(known)}")
            chosen[name] = _parsed(name, text, known[name])
        if isinstance(made := kind(**chosen), SlurmOptions):
            return cls(launcher, slurm=made, ray_address=ray_address)
        return cls(launcher, ray=made, ray_address=ray_address)


def _parsed(name: str, text: str, kind: Any) -> Any:
    if kind not in (int, float):
        if name == "cluster" and text not in ("slurm", "local"):
            raise UserError(f"--launch cluster must be slurm or local, got {text!r}")
        return text
    try:
        value = kind(text)
    except ValueError:
        word = "a whole number" if kind is int else "a number"
        raise UserError(f"--launch {name} must be {word}, got {text!r}") from None
    if value < 0 or (value == 0 and name in ("timeout_min", "at_once", "cpus")):
        raise UserError(f"--launch {name} must be above 0, got {text}")
    return value
