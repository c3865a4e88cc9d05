"""The learners by name. Loads none of them before it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import Any

from s2lab.causal.discovery.protocol import Discoverer
from s2lab.causal.errors import InputError, nearest


@dataclass(frozen=True)
class DiscovererEntry:
    """Where a learner lives and what it can use."""

    module: str
    """Module below `s2lab.causal`."""
    maker: str
    """A class or function of that module; its keywords are the learner's options."""
    summary: str
    """One line for `s2lab list discoverers`."""
    interventional: bool
    """Whether it uses intervention targets; otherwise it is given observational rows only."""
    real: bool = False
    """Whether it takes real numbers; otherwise it takes categories."""


DISCOVERERS: dict[str, DiscovererEntry] = {
    "ancestral": DiscovererEntry(
        "discovery.ancestral",
        "AncestralDiscovery",
        "order from effects, parents among predecessors, local search; to 1000 variables",
        True,
    ),
    "exact": DiscovererEntry(
        "discovery.exact",
        "ExactDiscovery",
        "best graph under interventional BDeu, exact to 16 variables",
        True,
    ),
    "enco": DiscovererEntry(
        "discovery.enco",
        "EncoDiscovery",
        "ENCO: gradients of edge and direction probabilities, known perfect interventions",
        True,
    ),
    "gies": DiscovererEntry(
        "discovery.gies",
        "GiesDiscovery",
        "greedy interventional equivalence search, linear-Gaussian data",
        True,
        real=True,
    ),
    "sdi": DiscovererEntry(
        "discovery.sdi",
        "SdiDiscovery",
        "SDI: beliefs about edges, soft interventions, targets known or guessed",
        True,
    ),
    "notears": DiscovererEntry(
        "discovery.notears",
        "NotearsDiscovery",
        "NOTEARS: sparse linear regressions made acyclic, real numbers of comparable scale",
        True,
        real=True,
    ),
    "pc": DiscovererEntry("pgmpy_bridge", "pgmpy_pc", "pgmpy's PC, observational rows only", False),
    "ges": DiscovererEntry(
        "pgmpy_bridge", "pgmpy_ges", "pgmpy's GES, observational rows only", False
    ),
    "hill_climb": DiscovererEntry(
        "pgmpy_bridge", "pgmpy_hill_climb", "pgmpy's hill climbing, observational rows only", False
    ),
}


def make_discoverer(name: str, options: Mapping[str, Any] | None = None) -> Discoverer:
    """Build a learner. Raises `InputError` on an unknown name or option, with the nearest name."""
    maker = find_maker(name)
    known = option_names(name)
    for option in options or {}:
        if option not in known:
            hint = nearest(option, known)
            raise InputError(f"discoverer {name!r} has no option {option!r}{hint}")
    learner: Discoverer = maker(**dict(options or {}))
    return learner


def option_names(name: str) -> tuple[str, ...]:
    """Keywords that a learner's constructor takes."""
    return tuple(signature(find_maker(name)).parameters)


def find_maker(name: str) -> Callable[..., Any]:
    """Import a learner's class or function; an unknown name is refused with the nearest one."""
    if name not in DISCOVERERS:
        raise InputError(
            f"unknown discoverer {name!r}{nearest(name, DISCOVERERS)}  (s2lab list discoverers)"
        )
    entry = DISCOVERERS[name]
    maker: Callable[..., Any] = getattr(import_module(f"s2lab.causal.{entry.module}"), entry.maker)
    return maker
