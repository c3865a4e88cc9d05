"""One file per published table. Knows only their names; a table's file loads when it is asked for.

The file of `some-table` is `some_table.py` with `reproduce(*, quick: bool, seeds: Sequence[int])
-> int`, an exit code; those in `TAKES_DATA` have `data: Path | None` as well.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from s2lab.errors import UserError

# Name of the reproduction -> what it measures again.
REPRODUCTIONS: dict[str, str] = {
    "sdi-table1": "mistakes in seven graphs from soft interventions (SDI, arXiv 1910.01075)",
    "sdi-table2": "likelihood under unseen interventions (SDI, arXiv 1910.01075)",
    "enco-25": "mistakes in graphs of 25 variables (ENCO, arXiv 2107.10483)",
    "imitation": "demonstrations needed for 99 % success (BabyAI, arXiv 1810.08272)",
    "adding": "sums at four times the training length (SCOFF, arXiv 2006.16225)",
    "copying": "ten symbols over ever longer blanks (RIMs, arXiv 1909.10893)",
    "arithmetic": "a running result at up to 2.5 times the length (NPS, arXiv 2103.01937)",
    "balls": "bouncing balls rolled out, more of them, and behind a curtain",
    "icf": "features that one action each controls (ICF, arXiv 1703.07718)",
    "fourrooms": "success on unseen layouts, modular and not (SGW, arXiv 2103.01197)",
    "curves": "learning curves of PPO beside Stable-Baselines3's, four worlds",
    "digits": "digits pixel by pixel at other resolutions (RIMs, arXiv 1909.10893)",
}


# Those that can read better data than what comes with the package.
TAKES_DATA = ("digits",)


def run_reproduction(
    name: str, *, quick: bool, seeds: Sequence[int], data: Path | None = None
) -> int:
    """Measure one table again; returns the exit code.

    Raises:
        UserError: data for a table that makes its own.
    """
    if data is not None and name not in TAKES_DATA:
        raise UserError(
            f"--data is {data}, and {name} makes its own data; only {', '.join(TAKES_DATA)} "
            "reads a folder: leave --data out"
        )
    module = import_module(f"s2lab.reproduce.{name.replace('-', '_')}")
    more = {} if data is None else {"data": data}
    code: int = module.reproduce(quick=quick, seeds=seeds, **more)
    return code


__all__ = ["REPRODUCTIONS", "run_reproduction"]
