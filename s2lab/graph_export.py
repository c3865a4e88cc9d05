"""A recovered graph as text in other programs' formats, by a file's ending. Writes no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from s2lab.causal.data import ContinuousData, InterventionalData
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

Probabilities = Mapping[tuple[str, str], float] | None
"""Of the recovered edges, where the learner gave some."""
Data = InterventionalData | ContinuousData


def export_text(path: Path, graph: CausalGraph, probabilities: Probabilities, data: Data) -> str:
    """Return what a file of this ending holds. Raises `InputError` where that cannot be said."""
    check_ending(path)
    return EXPORTS[path.suffix.lower()](graph, probabilities, data)


def check_ending(path: Path) -> None:
    """Refuse an ending that names no format; .json is the caller's own."""
    if path.suffix.lower() not in {".json", *EXPORTS}:
        known = ", ".join([".json", *EXPORTS])
        raise InputError(f"{path}: ending {path.suffix!r} names no format; use one of {known}")


def dot_text(graph: CausalGraph, probabilities: Probabilities, data: Data) -> str:
    """Return Graphviz DOT; probabilities become labels and line widths."""
    lines = ["digraph {"] + [f"  {quoted(name)};" for name in graph.variables]
    for edge in graph.edges:
        chance = None if probabilities is None else probabilities[edge]
        marks = (
            "" if chance is None else f" [label={chance:.2f}, penwidth={0.5 + 2.5 * chance:.2f}]"
        )
        lines.append(f"  {quoted(edge[0])} -> {quoted(edge[1])}{marks};")
    return "\n".join([*lines, "}"]) + "\n"


def quoted(name: str) -> str:
    """Quote a name for DOT; nothing but the quote itself (and a final backslash) needs care."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def gml_text(graph: CausalGraph, probabilities: Probabilities, data: Data) -> str:
    """Return GML as networkx writes it, with an attribute `probability` where there is one."""
    import networkx

    network = graph.to_networkx()
    for edge, chance in (probabilities or {}).items():
        network.edges[edge]["probability"] = float(chance)
    return "\n".join(networkx.generate_gml(network)) + "\n"


def bif(graph: CausalGraph, probabilities: Probabilities, data: Data) -> str:
    """Return BIF with the tables that the data teaches the graph."""
    from s2lab.causal.bif_text import bif_text
    from s2lab.causal.likelihood import fit_network

    return bif_text(fit_network(graph, categorical(data, ".bif")))


def xmlbif(graph: CausalGraph, probabilities: Probabilities, data: Data) -> str:
    """Return pgmpy's own XMLBIF of the network with the tables that the data teaches the graph."""
    from pgmpy.readwrite import XMLBIFWriter

    from s2lab.causal.likelihood import fit_network
    from s2lab.causal.pgmpy_bridge import to_pgmpy_network

    network = fit_network(graph, categorical(data, ".xmlbif"))
    return str(XMLBIFWriter(to_pgmpy_network(network)))


def categorical(data: Data, ending: str) -> InterventionalData:
    """Refuse real numbers where tables are to be written."""
    if not isinstance(data, InterventionalData):
        raise InputError(f"{ending} holds tables of categories, the data is real; use .dot")
    return data


EXPORTS: dict[str, Callable[[CausalGraph, Probabilities, Data], str]] = {
    ".dot": dot_text,
    ".gv": dot_text,
    ".gml": gml_text,
    ".bif": bif,
    ".xmlbif": xmlbif,
}
