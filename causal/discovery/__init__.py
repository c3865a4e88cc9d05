"""Learners of causal graphs, one file each, one protocol."""

from s2lab.causal.discovery.protocol import Discoverer, fitted_graph, takes_targets
from s2lab.causal.discovery.registry import DISCOVERERS, DiscovererEntry, make_discoverer

__all__ = [
    "DISCOVERERS",
    "Discoverer",
    "DiscovererEntry",
    "fitted_graph",
    "make_discoverer",
    "takes_targets",
]
