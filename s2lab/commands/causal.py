"""`discover`: from a table of rows to a causal graph."""

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from s2lab.commands.registry import command, print_json

Json = Annotated[bool, arg(name="json")]


@command()
def discover(
    data: Positional[Path],
    /,
    *,
    targets: Path | None = None,
    method: str = "ancestral",
    truth: str | None = None,
    out: Path | None = None,
    exports: tuple[Path, ...] = (),
    picture: Path | None = None,
    max_seconds: float | None = None,
    seed: int = 0,
    json: Json = False,
) -> None:
    """Learn a causal graph from a table of observations and interventions.

    Args:
        data: CSV, or Parquet where pyarrow is installed; one column a variable; a column
            intervention_targets names what was intervened on (empty: nothing; `a;b`: both)
        targets: CSV with the targets of each row, in place of that column
        method: learner (s2lab list discoverers)
        truth: a BIF file, a graph's JSON file or a shipped network (asia, cancer, sachs) to
            compare with
        out: file for the graph, in the format of its ending: .json (with all figures), .dot, .gml,
            .bif or .xmlbif (with tables learned from the rows; pgmpy reads both)
        exports: further files for the graph, in other formats
        picture: SVG file for the picture
        max_seconds: end the search after so long, with the best graph so far
        seed: of a learner that draws random numbers
        json: print the result as JSON
    """
    from s2lab.discover import discover as run

    options: dict[str, Any] = {} if max_seconds is None else {"max_seconds": max_seconds}
    found = run(
        data, targets, method, truth=truth, out=out, picture=picture, seed=seed, options=options,
        exports=exports,
    ).summary  # fmt: skip
    if json:
        print_json(found)
        return
    for parent, child in found["edges"]:
        print(f"{parent} -> {child}")
    print(f"{len(found['edges'])} edges in {found['elapsed_s']:.2f} s from {found['passed']}")
    if truth is not None:
        mistakes = [
            f"{kind} {parent} -> {child}"
            for kind in ("missing", "extra", "reversed")
            for parent, child in found[kind]
        ]
        print(f"SHD {found['shd']} to the truth" + "".join(f"\n  {line}" for line in mistakes))
