"""`list`, `eval`, `doctor`: commands that look and judge."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from s2lab.commands.registry import command, print_json

Json = Annotated[bool, arg(name="json")]
Imports = Annotated[UseAppendAction[tuple[str, ...]], arg(name="import")]


@command("list")
def list_names(
    what: Positional[
        Literal["envs", "agents", "baselines", "discoverers", "presets", "ppo", "reproductions"]
    ],
    /,
    *,
    json: Json = False,
    imports: Imports = (),
) -> None:
    """Print the names that other commands take.

    Args:
        what: which names
        json: as JSON
        imports: package to import first; may be repeated
    """
    from s2lab.listing import names_of

    names = names_of(what, imports)
    if json:
        print_json(names)
        return
    width = max(map(len, names), default=0)
    for name, meaning in names.items():
        print(f"{name:{width}}  {meaning}".rstrip())


@command("eval")
def evaluate(
    run: Positional[Path],
    /,
    *,
    episodes: int = 1000,
    checkpoint: str = "latest",
    greedy: bool = False,
    json: Json = False,
) -> None:
    """Play unseen episodes, one per seed, and write eval.json.

    Args:
        run: the run folder
        episodes: how many unseen seeds
        checkpoint: latest, best or step_<9 digits>
        greedy: take the most likely action in place of a draw
        json: print the result as JSON
    """
    from s2lab.evaluate import evaluate_run

    mode: Literal["sampled", "greedy"] = "greedy" if greedy else "sampled"
    result = evaluate_run(run, episodes=episodes, which=checkpoint, mode=mode).summary()
    if json:
        print_json(result)
    else:
        print(
            f"success {result['success_rate']:.3f}, return {result['mean_return']:.3f}, "
            f"{result['mean_length']:.1f} steps, over {result['episodes']} unseen episodes"
        )


@command()
def doctor(*, json: Json = False) -> int:
    """Say what is installed, what this machine has, and whether the pieces work.

    Args:
        json: print the findings as JSON
    """
    from s2lab.doctor import examine

    findings = examine()
    if json:
        print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:20}  {finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1
