"""Find a shipped network by name. Knows no BIF syntax."""

from importlib.resources import files

from s2lab.causal.bif import parse_bif
from s2lab.causal.errors import InputError, nearest
from s2lab.causal.network import DiscreteNetwork

NETWORKS = ("asia", "cancer", "sachs")
"""Names of the shipped files."""


def load_network(name: str) -> DiscreteNetwork:
    """Read a shipped network. Raises `InputError` with the nearest name on an unknown one."""
    if name not in NETWORKS:
        raise InputError(f"unknown network {name!r}{nearest(name, NETWORKS)}")
    text = files(__package__).joinpath(f"{name}.bif").read_text(encoding="utf-8")
    return parse_bif(text, f"{name}.bif")
