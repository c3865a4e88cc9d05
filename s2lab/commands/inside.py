"""`explain`: what happens inside an agent while it plays."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.registry import command, print_json


@command()
def explain(
    run: Positional[Path],
    /,
    *,
    episode: int = 0,
    steps: int = 20_000,
    checkpoint: str = "latest",
    json: Annotated[bool, arg(name="json")] = False,
) -> None:
    """Draw one episode above what the core recorded; measure who does what over many.

    Args:
        run: the run folder
        episode: which of the unseen episodes to draw, from 0
        steps: environment steps behind the table; 0 for no table
        checkpoint: latest, best or step_<9 digits>
        json: print the table as JSON
    """
    from dataclasses import asdict

    from s2lab.explain import draw_inside, information_table, measure, open_agent

    picture = draw_inside(run, episode, checkpoint)
    found = measure(*open_agent(run, checkpoint), steps) if steps else None
    if json:
        print_json({"picture": str(picture), "information": asdict(found) if found else None})
        return
    print(f"picture: {picture}")
    if found is not None:
        print(f"\n{information_table(found)}")
    elif steps:
        print("no table: it takes a core with modules, schemata or rules in a native world")
