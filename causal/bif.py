"""Read Bayesian networks from BIF text (Interchange Format 0.15). Knows no sampling.

Errors name file and line. Rows of a conditional table are written `(state, ...) p, p, ...;`; a flat
`table` is accepted only where there are no parents, because programs disagree on its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.errors import InputError, nearest
from s2lab.causal.graph import CausalGraph
from s2lab.causal.network import SUM_TOLERANCE, DiscreteNetwork

TOKEN = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<string>"[^"\n]*")|(?P<mark>[{}()\[\],;|])'
    r'|(?P<word>[^\s{}()\[\],;|"]+)',
    re.DOTALL,
)
MARKS = set("{}()[],;|")


def read_bif(path: str | Path) -> DiscreteNetwork:
    """Read a BIF file. Raises `InputError` naming file and line; a cycle is spelled out."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    return parse_bif(text, str(path))


def parse_bif(text: str, source: str = "BIF text") -> DiscreteNetwork:
    """Read BIF text; `source` names it in errors."""
    return BifReader(text, source).read()


@dataclass
class ConditionalBlock:
    """One `probability` block as written."""

    line: int
    parents: list[str]
    rows: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    default: list[float] | None = None


class BifReader:
    """A recursive-descent reader over one text."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.tokens = list(self._split(text))
        self.position = 0
        self.states: dict[str, tuple[str, ...]] = {}
        self.declared: dict[str, int] = {}  # line of every variable
        self.blocks: dict[str, ConditionalBlock] = {}

    def read(self) -> DiscreteNetwork:
        """Read every block, then check that the blocks fit together."""
        readers = {
            "network": self._network,
            "variable": self._variable,
            "probability": self._probability,
        }
        while self.position < len(self.tokens) - 1:
            word = self._word("'network', 'variable' or 'probability'")
            if word not in readers:
                raise self._error(f"unknown block {word!r}{nearest(word, readers)}")
            readers[word]()
        if not self.states:
            raise self._error("no variable; expected blocks 'variable NAME { ... }'")
        return self._assemble()

    def _split(self, text: str) -> Iterator[tuple[str, bool, int]]:
        line, at = 1, 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                raise InputError(f"{self.source} line {line}: a quote or comment is never closed")
            if match.lastgroup != "skip":
                token = match.group()
                yield token.strip('"'), match.lastgroup == "mark", line
            line += match.group().count("\n")
            at = match.end()
        yield "end of file", True, line

    def _error(self, message: str, line: int | None = None) -> InputError:
        if line is None:
            line = self.tokens[max(self.position - 1, 0)][2]
        return InputError(f"{self.source} line {line}: {message}")

    def _next(self) -> tuple[str, bool]:
        token, mark, _ = self.tokens[self.position]
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token, mark

    def _peek(self) -> str:
        token, mark, _ = self.tokens[self.position]
        return token if mark else ""

    def _mark(self, expected: str) -> None:
        line = self.tokens[self.position][2]
        token, mark = self._next()
        if not mark or token != expected:
            raise self._error(f"expected {expected!r}, found {token!r}", line)

    def _word(self, what: str) -> str:
        line = self.tokens[self.position][2]
        token, mark = self._next()
        if mark:
            raise self._error(f"expected {what}, found {token!r}", line)
        return token

    def _words(self, closing: str, what: str) -> list[str]:
        words = [self._word(what)]
        while self._peek() != closing:
            if self._peek() == ",":
                self._mark(",")
            words.append(self._word(what))
        self._mark(closing)
        return words

    def _numbers(self) -> list[float]:
        numbers = []
        for word in self._words(";", "a probability"):
            try:
                number = float(word)
            except ValueError:
                raise self._error(f"{word!r} is not a number") from None
            if not 0 <= number <= 1:
                raise self._error(f"{word} is not a probability between 0 and 1")
            numbers.append(number)
        return numbers

    def _property(self) -> None:
        while self._next()[0] != ";":
            if self.position >= len(self.tokens) - 1:
                raise self._error("a property is never closed by ';'")

    def _network(self) -> None:
        self._word("a network name")
        self._mark("{")
        while self._peek() != "}":
            if self._word("'property' or '}'") != "property":
                raise self._error("a network block holds only properties")
            self._property()
        self._mark("}")

    def _variable(self) -> None:
        name = self._word("a variable name")
        if name in self.states:
            raise self._error(f"variable {name!r} is declared twice")
        self.declared[name] = self.tokens[self.position - 1][2]
        states: list[str] = []
        self._mark("{")
        while self._peek() != "}":
            word = self._word("'type' or 'property'")
            if word == "property":
                self._property()
            elif word == "type" and not states:
                states = self._type(name)
            else:
                raise self._error(f"unexpected {word!r} in variable {name!r}")
        self._mark("}")
        if not states:
            raise self._error(f"variable {name!r} has no 'type discrete [ n ] {{ ... }};'")
        self.states[name] = tuple(states)

    def _type(self, name: str) -> list[str]:
        kind = self._word("'discrete'")
        if kind != "discrete":
            raise self._error(f"variable {name!r} is {kind!r}; only 'discrete' is understood")
        self._mark("[")
        count = self._word("the number of states")
        self._mark("]")
        self._mark("{")
        states = self._words("}", "a state name")
        self._mark(";")
        if count != str(len(states)):
            raise self._error(f"variable {name!r} announces {count} states and names {len(states)}")
        if len(set(states)) != len(states):
            raise self._error(f"variable {name!r} names a state twice")
        return states

    def _known(self, name: str) -> str:
        if name not in self.states:
            raise self._error(f"unknown variable {name!r}{nearest(name, self.states)}")
        return name

    def _probability(self) -> None:
        self._mark("(")
        child = self._known(self._word("a variable name"))
        block = ConditionalBlock(self.tokens[self.position - 1][2], [])
        if child in self.blocks:
            raise self._error(f"variable {child!r} has two probability blocks")
        if self._peek() == "|":
            self._mark("|")
            block.parents = self._words(")", "a parent name")
            for parent in block.parents:
                self._known(parent)
            if len({*block.parents, child}) != len(block.parents) + 1:
                raise self._error(f"{child!r} has a parent twice or is its own parent")
        else:
            self._mark(")")
        self._mark("{")
        while self._peek() != "}":
            self._row(child, block)
        self._mark("}")
        self.blocks[child] = block

    def _row(self, child: str, block: ConditionalBlock) -> None:
        if self._peek() == "(":
            self._mark("(")
            key = tuple(self._words(")", "a parent state"))
            self._check_key(key, block)
            block.rows[key] = self._probabilities(child)
            return
        word = self._word("'table', 'default', 'property' or a row '(state, ...) p, ...;'")
        if word == "property":
            self._property()
        elif word == "default":
            block.default = self._probabilities(child)
        elif word == "table" and block.parents:
            raise self._error(
                f"a flat table for {child!r}, which has parents, is ambiguous; "
                "write one row '(state, ...) p, ...;' per configuration"
            )
        elif word == "table" and not block.rows:
            block.rows[()] = self._probabilities(child)
        else:
            raise self._error(f"unexpected {word!r} in the table of {child!r}")

    def _check_key(self, key: tuple[str, ...], block: ConditionalBlock) -> None:
        if len(key) != len(block.parents):
            raise self._error(f"{len(key)} parent states for {len(block.parents)} parents")
        for state, parent in zip(key, block.parents, strict=True):
            if state not in self.states[parent]:
                hint = nearest(state, self.states[parent])
                raise self._error(f"{parent!r} has no state {state!r}{hint}")
        if key in block.rows:
            raise self._error(f"row ({', '.join(key)}) is given twice")

    def _probabilities(self, child: str) -> list[float]:
        numbers = self._numbers()
        if len(numbers) != len(self.states[child]):
            raise self._error(
                f"{len(numbers)} probabilities for {child!r}, "
                f"which has {len(self.states[child])} states"
            )
        if abs(sum(numbers) - 1) > SUM_TOLERANCE:
            raise self._error(f"probabilities of {child!r} sum to {sum(numbers):g}, expected 1")
        return numbers

    def _assemble(self) -> DiscreteNetwork:
        for name in self.states:
            if name not in self.blocks:
                line = self.declared[name]
                raise self._error(f"variable {name!r} has no probability block", line)
        edges = [(parent, child) for child, b in self.blocks.items() for parent in b.parents]
        try:
            graph = CausalGraph.from_edges(self.states, edges)
        except InputError as error:
            child = str(error).removeprefix("the graph has a cycle: ").split(" -> ")[0]
            raise self._error(str(error), self.blocks[child].line) from None
        tables = tuple(self._table(name, graph) for name in graph.variables)
        return DiscreteNetwork(graph, tuple(self.states.values()), tables)

    def _table(self, child: str, graph: CausalGraph) -> NDArray[np.float64]:
        block = self.blocks[child]
        shape = [len(self.states[parent]) for parent in block.parents]
        table = np.zeros((*shape, len(self.states[child])))  # [K_parents as written..., K]
        for key in product(*(self.states[parent] for parent in block.parents)):
            row = block.rows.get(key, block.default)
            if row is None:
                raise self._error(
                    f"the table of {child!r} lacks a row for ({', '.join(key)})", block.line
                )
            at = (self.states[p].index(s) for p, s in zip(block.parents, key, strict=True))
            table[tuple(at)] = row
        in_graph_order = [block.parents.index(parent) for parent in graph.parents(child)]
        return table.transpose([*in_graph_order, len(shape)])
