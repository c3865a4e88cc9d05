"""Where runs are worked on: this machine, a SLURM array, a Ray cluster."""

from s2lab.launchers.options import LAUNCHERS, Launch, Launcher

__all__ = ["LAUNCHERS", "Launch", "Launcher"]
