"""The generated parts of the README: tables from committed records, the folder map from docstrings.

`python -m s2lab.readme README.md` makes them anew (`make readme`).

* A table stands between `<!-- record NAME -->` and `<!-- end record -->`; NAME is a file in
  `runs/records/` without its ending. Nobody types a result.
* The map stands between `<!-- map -->` and `<!-- end map -->`: the first sentence of every file.
"""

import ast
import json
import re
import sys
from importlib import import_module
from pathlib import Path

from s2lab import durable
from s2lab.errors import unknown

RECORDS = Path("runs/records")
ROOMS = {
    "s2lab": "the application: commands, runs, tracking, comparison",
    "envs": "worlds, imported as `s2lab.envs`",
    "agents": "networks and learning, imported as `s2lab.agents`",
    "causal": "graphs and discovery, imported as `s2lab.causal`",
}

# Record -> the module whose `table(record)` renders it.
TABLES = {
    "demo": "s2lab.demo",
    "curves": "s2lab.reproduce.curves",
    "bench-envs": "s2lab.bench.record_table",
    "bench-train": "s2lab.bench.record_table",
    "bench-cores": "s2lab.bench.record_table",
    "sdi-table1": "s2lab.reproduce.sdi_table1",
    "sdi-table2": "s2lab.reproduce.sdi_table2",
    "enco-25": "s2lab.reproduce.enco_25",
    "bif-networks": "s2lab.reproduce.bif_networks",
    "large-graphs": "s2lab.reproduce.large_graphs",
    "linear-gaussian": "s2lab.reproduce.linear_gaussian",
    "icf": "s2lab.reproduce.icf",
    "icf-doorkey": "s2lab.reproduce.icf_doorkey",
    "imitation": "s2lab.reproduce.imitation",
    "soak": "s2lab.bench.parity",
    "soak-babyai": "s2lab.bench.parity",
    "gpu-code": "s2lab.bench.gpu_code",
    "gpu-check": "s2lab.bench.record_table",
    "bench-cores-gpu": "s2lab.bench.record_table",
    "fourrooms": "s2lab.reproduce.fourrooms_table",
    "babyai-rl": "s2lab.reproduce.babyai_rl",
    "shifts": "s2lab.reproduce.generalisation",
    "specialisation": "s2lab.reproduce.specialisation",
}
TABLES |= {f"{name}-quick": TABLES[name] for name in TABLES if "reproduce" in TABLES[name]}
TABLES |= {
    f"{name}-search": "s2lab.reproduce.search"
    for name in ("curves", "fourrooms", "babyai-rl", "shifts", "specialisation")
}
TABLES |= {
    f"{name}{form}": f"s2lab.reproduce.{name}"
    for name in ("adding", "copying", "arithmetic", "balls", "digits")
    for form in ("", "-quick", *(("-data", "-data-quick") if name == "digits" else ()))
}

_RECORD = re.compile(r"(<!-- record (?P<name>[\w-]+) -->\n).*?(<!-- end record -->)", re.DOTALL)
_MAP = re.compile(r"(<!-- map -->\n).*?(<!-- end map -->)", re.DOTALL)


def render(text: str, root: Path = Path()) -> str:
    """The text with every generated part made anew from the checkout at `root`.

    Raises:
        UserError: a record that nothing renders.
    """

    def table(place: re.Match[str]) -> str:
        name = place["name"]
        if name not in TABLES:
            raise unknown("record", name, TABLES, "TABLES in s2lab/readme.py")
        record = json.loads((root / RECORDS / f"{name}.json").read_text(encoding="utf-8"))
        return f"{place[1]}{import_module(TABLES[name]).table(record)}\n{place[3]}"

    text = _RECORD.sub(table, text)
    return _MAP.sub(lambda place: f"{place[1]}{folder_map(root)}\n{place[2]}", text)


def folder_map(root: Path) -> str:
    """One fold per room, one line per file that says anything."""
    return "\n\n".join(
        f"<details>\n<summary><code>{room}/</code> {meaning}</summary>\n\n"
        + "\n".join(_lines(root / room, room))
        + "\n\n</details>"
        for room, meaning in ROOMS.items()
    )


def _lines(folder: Path, name: str) -> list[str]:
    return [
        f"* `{name}/{path.relative_to(folder)}` - {first_sentence(path)}"
        for path in sorted(folder.rglob("*.py"))
        if path.name != "__init__.py"
    ]


def first_sentence(path: Path) -> str:
    """The first sentence of a file's docstring, without its full stop."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "no docstring"
    paragraph = " ".join(doc.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph)[0].rstrip(".")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        durable.replace(path, render(path.read_text(encoding="utf-8")).encode())
