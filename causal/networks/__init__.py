"""Published Bayesian networks as BIF files: the data of bnlearn's repository.

Source of all: https://www.bnlearn.com/bnrepository/ (its .bif files); each file names its paper.
"""

from s2lab.causal.networks.loading import NETWORKS, load_network

__all__ = ["NETWORKS", "load_network"]
