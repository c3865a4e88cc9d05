"""To and from pgmpy, and pgmpy's own estimators as baselines. Loads pgmpy only when called."""

from __future__ import annotations

from typing import Any

import numpy as np

from s2lab.causal.graph import CausalGraph
from s2lab.causal.network import DiscreteNetwork


def to_pgmpy_dag(graph: CausalGraph) -> Any:
    """Return a `pgmpy.base.DAG` with the same nodes, in order, and edges."""
    from pgmpy.base import DAG

    dag = DAG()
    dag.add_nodes_from(graph.variables)
    dag.add_edges_from(graph.edges)
    return dag


def adjacency_frame(graph: CausalGraph) -> Any:
    """Return the adjacency as pgmpy does: a DataFrame [V, V] of 0 and 1, row -> column."""
    import pandas

    names = list(graph.variables)
    return pandas.DataFrame(graph.parent_to_child.astype(int), index=names, columns=names)


def to_pgmpy_network(network: DiscreteNetwork) -> Any:
    """Return a `pgmpy.models.DiscreteBayesianNetwork` with the same tables and state names."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    model = DiscreteBayesianNetwork()
    model.add_nodes_from(network.variables)
    model.add_edges_from(network.graph.edges)
    states = dict(zip(network.variables, network.states, strict=True))
    for name, table in zip(network.variables, network.tables, strict=True):
        parents = list(network.graph.parents(name))
        model.add_cpds(
            TabularCPD(
                name,
                len(states[name]),
                table.reshape(-1, len(states[name])).T,  # [K, configurations]
                evidence=parents,
                evidence_card=[len(states[parent]) for parent in parents],
                state_names={key: list(states[key]) for key in [name, *parents]},
            )
        )
    return model


def from_pgmpy_network(model: Any) -> DiscreteNetwork:
    """Read a pgmpy discrete Bayesian network (as its BIF reader returns) with its tables."""
    graph = CausalGraph.from_networkx(model)
    states, tables = [], []
    for name in graph.variables:
        factor = model.get_cpds(name)
        states.append(tuple(str(state) for state in factor.state_names[name]))
        written = [str(variable) for variable in factor.variables]
        order = [written.index(v) for v in (*graph.parents(name), name)]
        tables.append(np.asarray(factor.values, np.float64).transpose(order))
    return DiscreteNetwork(graph, tuple(states), tuple(tables))


def pgmpy_pc(
    significance_level: float = 0.01, max_cond_vars: int = 5, show_progress: bool = False
) -> Any:
    """Return pgmpy's PC (Spirtes et al. 2000) with a chi-square test, returning a DAG."""
    from pgmpy.causal_discovery import PC

    return PC(
        variant="stable",
        ci_test="chi_square",
        significance_level=significance_level,
        max_cond_vars=max_cond_vars,
        return_type="dag",
        n_jobs=1,
        show_progress=show_progress,
    )


def pgmpy_ges(scoring_method: str = "bic-d") -> Any:
    """Return pgmpy's GES (Chickering 2002), returning a DAG."""
    from pgmpy.causal_discovery import GES

    return GES(scoring_method=scoring_method, return_type="dag")


def pgmpy_hill_climb(
    scoring_method: str = "bic-d", max_indegree: int | None = None, show_progress: bool = False
) -> Any:
    """Return pgmpy's hill climbing over graphs, returning a DAG."""
    from pgmpy.causal_discovery import HillClimbSearch

    return HillClimbSearch(
        scoring_method=scoring_method,
        max_indegree=max_indegree,
        return_type="dag",
        show_progress=show_progress,
    )
