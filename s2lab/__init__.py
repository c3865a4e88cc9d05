"""s2lab: a laboratory for system-2 agents."""

__version__ = "0.1.0"
