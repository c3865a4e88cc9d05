"""`list`, `eval`, `compare`, `reproduce`, `doctor`: commands that look and judge."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from s2lab.commands.registry import command, print_json

Json = Annotated[bool, arg(name="json")]
Imports = Annotated[UseAppendAction[tuple[str, ...]], arg(name="import")]


@command("list")
def list_names(
    what: Positional[
        Literal[
            "envs",
            "agents",
            "baselines",
            "discoverers",
            "presets",
            "ppo",
            "reproductions",
            "shifts",
            "worlds",
        ]
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
    shift: str | None = None,
    video: bool = False,
    video_episodes: int = 3,
    video_format: Literal["gif", "mp4", "png"] = "gif",
    json: Json = False,
) -> None:
    """Play unseen episodes, one per seed, and write eval.json.

    Args:
        run: the run folder
        episodes: how many unseen seeds
        checkpoint: latest, best or step_<9 digits>
        greedy: take the most likely action in place of a draw
        shift: play both sides of a named shift of the run's world (s2lab list shifts) and write
            eval-SHIFT.json
        video: also film the first of them into the run's videos/
        video_episodes: how many to film
        video_format: gif, mp4, or png for one sheet of pictures; without the extra `video`, png
        json: print the result as JSON
    """
    from s2lab.breakdown import by_kind, evaluate_shift, missions_of, table_of
    from s2lab.config import ImitateConfig, read_config
    from s2lab.evaluate import evaluate_run
    from s2lab.run_folder import RunFolder
    from s2lab.starts import compare_starts

    mode: Literal["sampled", "greedy"] = "greedy" if greedy else "sampled"
    if shift is not None:
        sides = evaluate_shift(run, shift, episodes=episodes, which=checkpoint, mode=mode)
        if json:
            print_json({split: result.summary() for split, result in sides.items()})
            return
        for split, result in sides.items():
            print(f"{split:5}  {result.in_words()}")
        return
    result = evaluate_run(run, episodes=episodes, which=checkpoint, mode=mode)
    config = read_config(RunFolder.open(run))
    kinds = by_kind(result, missions_of(config.env, result.seeds))
    if video:
        from s2lab.film import film_run

        for path in film_run(run, video_episodes, checkpoint, mode, video_format):
            print(f"video: {path}", file=sys.stderr)
    if json:
        rates = {kind.name: [kind.success_rate, kind.episodes] for kind in kinds}
        print_json(result.summary() | ({"kinds": rates} if rates else {}))
        return
    print(result.in_words())
    if kinds:
        print(table_of(kinds))
    if isinstance(config, ImitateConfig):
        return
    found = compare_starts(config, list(result.seeds), float(result.lengths.mean()))
    if found is not None and found.distinct < len(result.seeds):
        print(
            f"{found.distinct} distinct starts among them; "
            f"{found.unmet:.1%} of the starts were never met in training"
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


@command()
def reproduce(
    table: Positional[str],
    /,
    *,
    quick: bool = False,
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
    data: Path | None = None,
    only: tuple[str, ...] = (),
    levels: tuple[str, ...] = (),
    parallel: int | None = None,
) -> int:
    """Measure a published table again and write its record under runs/records/.

    Args:
        table: which one (s2lab list reproductions)
        quick: a reduced form that ends within minutes
        seeds: run seeds
        data: folder with better data than the package's own: MNIST's IDX files for digits
        only: rows of a table of agents to measure now, by their names or parts of them, such as
            lstm or "lstm, 2 M"; what is measured already stays
        levels: BabyAI levels of babyai-rl, such as GoToLocal
        parallel: runs side by side (default: one per CPU core)
    """
    from s2lab.errors import unknown
    from s2lab.reproduce import REPRODUCTIONS, run_reproduction

    if table not in REPRODUCTIONS:
        raise unknown("reproduction", table, REPRODUCTIONS, "s2lab list reproductions")
    return run_reproduction(
        table, quick=quick, seeds=seeds, data=data, only=only, levels=levels, parallel=parallel
    )


@command()
def compare(
    runs: Positional[tuple[str, ...]],
    /,
    *,
    by: str | None = None,
    metric: Literal["success_rate", "mean_return"] = "success_rate",
    against: str | None = None,
    html: Path | None = None,
    tables: Path | None = None,
    wandb: bool = False,
    track: Literal["offline", "online"] = "offline",
    json: Json = False,
) -> None:
    """Put runs side by side, with intervals over seeds and plain words.

    Args:
        runs: run folders, folders of runs or quoted globs, such as 'runs/*FourRooms*'
        by: what tells contestants apart: agent, kind, or a setting by its dotted name
        metric: the score of a run
        against: the label that each other one is compared with; all pairs without it
        html: write one self-contained report
        tables: folder that receives every table as CSV, LaTeX and Markdown
        wandb: also write a W&B run with every table and chart, into wandb/ here
        track: that W&B run offline or online
        json: print everything as JSON
    """
    from s2lab.compare import compare as run
    from s2lab.reporting.comparison_tables import comparison_record
    from s2lab.reporting.export import print_comparison, write_comparison, write_tables

    comparison = run(runs, by, metric=metric, against=against)
    if html is not None:
        print(f"report: {write_comparison(comparison, html)}", file=sys.stderr)
    if tables is not None:
        for path in write_tables(comparison, tables):
            print(f"table: {path}", file=sys.stderr)
    if wandb:
        from s2lab.reporting.wandb_export import send_comparison

        where = send_comparison(
            comparison, mode=track, say=lambda line: print(line, file=sys.stderr)
        )
        print(f"W&B: {where}; `s2lab sync .` sends what is offline", file=sys.stderr)
    if json:
        print_json(comparison_record(comparison))
    else:
        print_comparison(comparison)
