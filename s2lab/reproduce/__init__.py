"""One file per published table. Knows only their names; a table's file loads when it is asked for.

The file of `some-table` is `some_table.py` with `reproduce(*, quick: bool, seeds: Sequence[int])
-> int`, an exit code, and the further arguments that `TAKES` names.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from s2lab.errors import UserError

# Name of the reproduction -> what it measures again.
REPRODUCTIONS: dict[str, str] = {
    "sdi-table1": "mistakes in seven graphs from soft interventions (SDI, arXiv 1910.01075)",
    "sdi-table2": "likelihood under unseen interventions (SDI, arXiv 1910.01075)",
    "bif-networks": "mistakes in published Bayesian networks, all or half of them acted on",
    "large-graphs": "mistakes, time and memory in random graphs of 200 to 1000 variables",
    "linear-gaussian": "mistakes and time in linear-Gaussian graphs, beside the gies package",
    "enco-25": "mistakes in graphs of 25 variables (ENCO, arXiv 2107.10483)",
    "imitation": "demonstrations needed for 99 % success (BabyAI, arXiv 1810.08272)",
    "adding": "sums at four times the training length (SCOFF, arXiv 2006.16225)",
    "copying": "ten symbols over ever longer blanks (RIMs, arXiv 1909.10893)",
    "arithmetic": "a running result at up to 2.5 times the length (NPS, arXiv 2103.01937)",
    "balls": "bouncing balls rolled out, more of them, and behind a curtain",
    "icf": "features that one action each controls (ICF, arXiv 1703.07718)",
    "fourrooms": "success on unseen layouts, modular and not (SGW, arXiv 2103.01197)",
    "curves": "learning curves of PPO beside Stable-Baselines3's, four worlds",
    "babyai-rl": "frames and episodes to 99 % success in BabyAI (arXiv 2007.12770)",
    "shifts": "success in training's own worlds and in shifted ones, modular and not",
    "specialisation": "what modules and schemata tell about keys, carrying and doors",
    "digits": "digits pixel by pixel at other resolutions (RIMs, arXiv 1909.10893)",
}


# Which of the further arguments of `run_reproduction` a table takes.
_PART = ("only", "parallel")
TAKES: dict[str, tuple[str, ...]] = {
    "adding": ("parallel",),
    "copying": ("parallel",),
    "arithmetic": ("parallel",),
    "balls": ("parallel",),
    "digits": ("data", "parallel"),
    "sdi-table1": ("only",),
    "curves": _PART,
    "fourrooms": _PART,
    "babyai-rl": (*_PART, "levels"),
    "shifts": _PART,
    "specialisation": _PART,
}


def run_reproduction(name: str, *, quick: bool, seeds: Sequence[int], **more: Any) -> int:
    """Measure one table again; returns the exit code.

    Args:
        name: of REPRODUCTIONS
        quick: the reduced form
        seeds: run seeds
        more: arguments that only some tables take, see TAKES; None and () say nothing

    Raises:
        UserError: an argument that the table does not take.
    """
    given = {key: value for key, value in more.items() if value not in (None, ())}
    for key, value in given.items():
        if key not in TAKES.get(name, ()):
            takers = ", ".join(other for other, taken in TAKES.items() if key in taken)
            raise UserError(
                f"--{key} is {value}, and {name} has no use for it; leave it out: it is for "
                f"{takers}"
            )
    module = import_module(f"s2lab.reproduce.{name.replace('-', '_')}")
    code: int = module.reproduce(quick=quick, seeds=seeds, **given)
    return code


__all__ = ["REPRODUCTIONS", "TAKES", "run_reproduction"]
