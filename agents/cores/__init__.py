"""Recurrent cores, one file each, one contract (`contract.py`)."""

from s2lab.agents.cores.registry import CORES, CoreEntry, core_config, make_core

__all__ = ["CORES", "CoreEntry", "core_config", "make_core"]
