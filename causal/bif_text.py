"""Write Bayesian networks as BIF text (Interchange Format 0.15). Knows no files and no data."""

from __future__ import annotations

from itertools import product

import numpy as np

from s2lab.causal.errors import InputError
from s2lab.causal.network import DiscreteNetwork

FORBIDDEN = set('"{}()[],;|') | set(" \t\n\r")
"""Characters that a bare word of BIF cannot hold; programs disagree on quotes."""


def bif_text(network: DiscreteNetwork) -> str:
    """Return text that `read_bif` and pgmpy's reader give back as the same network.

    Raises `InputError` on a variable's or state's name that BIF cannot spell.
    """
    for name in (*network.variables, *(state for states in network.states for state in states)):
        if not name or FORBIDDEN & set(name):
            raise InputError(f"{name!r} cannot be spelled in BIF; use no spaces or brackets")
    lines = ["network unknown {", "}"]
    for name, states in zip(network.variables, network.states, strict=True):
        lines.append(f"variable {name} {{")
        lines.append(f"  type discrete [ {len(states)} ] {{ {', '.join(states)} }};")
        lines.append("}")
    for name, table in zip(network.variables, network.tables, strict=True):
        parents = network.graph.parents(name)
        given = f" | {', '.join(parents)}" if parents else ""
        lines.append(f"probability ( {name}{given} ) {{")
        if not parents:
            lines.append(f"  table {numbers(table)};")
        choices = [network.states[network.graph.index(parent)] for parent in parents]
        rows = table.reshape(-1, table.shape[-1])  # [configurations, K]
        for key, row in zip(product(*choices), rows, strict=True) if parents else ():
            lines.append(f"  ({', '.join(key)}) {numbers(row)};")
        lines.append("}")
    return "\n".join(lines) + "\n"


def numbers(row: np.ndarray) -> str:  # [K]
    """Spell probabilities so that reading gives the same floats back."""
    return ", ".join(repr(float(value)) for value in row)
