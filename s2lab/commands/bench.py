"""`bench`: speed and size, beside peers, in one run."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.registry import command
from s2lab.errors import UserError, unknown

ON_A_GPU = ("envs", "cores")


@command()
def bench(
    what: Positional[str],
    /,
    *,
    json: Annotated[Path | None, arg(name="json")] = None,
    device: str = "cpu",
    quick: bool = False,
) -> None:
    """Measure how fast something is, in turns with its peers, and print a table.

    Args:
        what: bench to run: babyai, cores, discover, envs, icf or train
        json: JSON file that keeps the rows, the machine and the versions
        device: cpu, or cuda for `envs` or `cores` on a GPU
        quick: fewer and shorter measurements
    """
    from importlib import import_module

    from s2lab.bench import BENCHES
    from s2lab.bench.harness import table, write_json

    if what not in BENCHES:
        raise unknown("bench", what, BENCHES, "s2lab bench --help")
    if device not in ("cpu", "cuda") or (device == "cuda" and what not in ON_A_GPU):
        raise UserError(f"--device {device}: give cpu, or cuda for the benches envs and cores")
    module = f"s2lab.bench.{what}" + ("_cuda" if device == "cuda" else "")
    rows = []
    for row in import_module(module).bench(quick=quick):
        rows.append(row)
        print(table([row]).splitlines()[1], flush=True)
    print(f"\n{table(rows)}")
    if json is not None:
        write_json(rows, json)
