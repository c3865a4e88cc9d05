"""Room `s2lab.causal`: graphs, truth, data and discovery from interventions."""

if __name__ != "s2lab.causal":
    raise ImportError("import s2lab.causal: the bare name would load a second copy of the package")

from s2lab.causal.bif import parse_bif, read_bif
from s2lab.causal.data import ContinuousData, InterventionalData
from s2lab.causal.discovery import DISCOVERERS, make_discoverer
from s2lab.causal.equivalence import cpdag, interventional_cpdag
from s2lab.causal.errors import InputError
from s2lab.causal.families import FAMILIES, make_family
from s2lab.causal.graph import CausalGraph
from s2lab.causal.likelihood import interventional_log_likelihood
from s2lab.causal.metrics import (
    EdgeDifferences,
    cpdag_distance,
    edge_differences,
    edge_rates,
    interventional_cpdag_distance,
    pdag_distance,
    rank_edges,
    structural_hamming_distance,
    structural_intervention_distance,
    target_accuracy,
)
from s2lab.causal.network import DiscreteNetwork
from s2lab.causal.networks import NETWORKS, load_network
from s2lab.causal.real_scm import RealCausalModel, simulate_real
from s2lab.causal.scm import StructuralCausalModel, simulate, simulate_worlds
from s2lab.causal.table_files import read_frame, write_frame

__all__ = [
    "DISCOVERERS",
    "FAMILIES",
    "NETWORKS",
    "CausalGraph",
    "ContinuousData",
    "DiscreteNetwork",
    "EdgeDifferences",
    "InputError",
    "InterventionalData",
    "RealCausalModel",
    "StructuralCausalModel",
    "cpdag",
    "cpdag_distance",
    "edge_differences",
    "edge_rates",
    "interventional_cpdag",
    "interventional_cpdag_distance",
    "interventional_log_likelihood",
    "load_network",
    "make_discoverer",
    "make_family",
    "parse_bif",
    "pdag_distance",
    "rank_edges",
    "read_bif",
    "read_frame",
    "simulate",
    "simulate_real",
    "simulate_worlds",
    "structural_hamming_distance",
    "structural_intervention_distance",
    "target_accuracy",
    "write_frame",
]
