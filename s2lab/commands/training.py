"""`train`, `baseline`, `resume`: commands that spend environment steps."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from s2lab.commands.registry import command, print_json
from s2lab.config import BaselineConfig, TrackMode, TrainConfig, assignments, ppo_config
from s2lab.errors import UserError

if TYPE_CHECKING:
    from s2lab.run_folder import RunFolder
    from s2lab.session import Outcome

Json = Annotated[bool, arg(name="json")]
Imports = Annotated[UseAppendAction[tuple[str, ...]], arg(name="import")]


@command()
def train(
    env: Positional[str],
    /,
    *,
    agent: str = "lstm",
    seeds: tuple[int, ...] = (0,),
    steps: int = 200_000,
    preset: str = "quick",
    ppo: tuple[str, ...] = (),
    core: tuple[str, ...] = (),
    device: str = "auto",
    track: TrackMode = "offline",
    eval_episodes: int = 200,
    runs: Path = Path("runs"),
    parallel: int | None = None,
    imports: Imports = (),
    quiet: bool = False,
    json: Json = False,
) -> int:
    """Train an agent with recurrent PPO; several seeds run side by side.

    Args:
        env: gymnasium id (s2lab list envs)
        agent: recurrent core (s2lab list agents)
        seeds: run seeds, one run each
        steps: environment steps per run
        preset: PPO settings to start from (s2lab list presets)
        ppo: PPO settings over the preset's, as name=value (s2lab list ppo)
        core: options of the core, as name=value, such as hidden_size=64
        device: auto, cpu or cuda
        track: Weights & Biases off, offline (inside the run folder) or online
        eval_episodes: unseen episodes to play at the end; 0 for none
        runs: folder that receives the run folders
        parallel: runs at a time (default: one per CPU core)
        imports: package to import first because it registers environments; may be repeated
        quiet: no progress
        json: print the runs and their results as JSON
    """
    from s2lab.training import create_run

    check_parallel(parallel)
    settings = ppo_config(preset, assignments("--ppo", ppo))
    options = {name: parse_value(text) for name, text in assignments("--core", core).items()}
    configs = [
        TrainConfig(
            env, seed, steps, settings, imports, resolve_device(device),
            eval_episodes=eval_episodes, agent=agent, core=options,
        )
        for seed in distinct(seeds)
    ]  # fmt: skip
    folders = [create_run(config, runs) for config in configs]
    return work_on(folders, track, parallel, quiet, json)


@command()
def baseline(
    env: Positional[str],
    /,
    *,
    algo: str = "ppo",
    network: Literal["same", "default"] = "same",
    seeds: tuple[int, ...] = (0,),
    steps: int = 200_000,
    preset: str = "quick",
    ppo: tuple[str, ...] = (),
    device: str = "auto",
    track: TrackMode = "offline",
    eval_episodes: int = 200,
    runs: Path = Path("runs"),
    parallel: int | None = None,
    imports: Imports = (),
    quiet: bool = False,
    json: Json = False,
) -> int:
    """Train a Stable-Baselines3 algorithm as a run like any other.

    Args:
        env: gymnasium id (s2lab list envs)
        algo: algorithm (s2lab list baselines)
        network: `same` observation encoder as our agents, or SB3's `default`
        seeds: run seeds, one run each
        steps: environment steps per run
        preset: PPO settings to start from (s2lab list presets)
        ppo: PPO settings over the preset's, as name=value (s2lab list ppo)
        device: auto, cpu or cuda
        track: Weights & Biases off, offline (inside the run folder) or online
        eval_episodes: unseen episodes to play at the end; 0 for none
        runs: folder that receives the run folders
        parallel: runs at a time (default: one per CPU core)
        imports: package to import first because it registers environments; may be repeated
        quiet: no progress
        json: print the runs and their results as JSON
    """
    from s2lab.baselines import create_run

    check_parallel(parallel)
    settings = ppo_config(preset, assignments("--ppo", ppo))
    configs = [
        BaselineConfig(
            env, seed, steps, settings, imports, resolve_device(device),
            eval_episodes=eval_episodes, algo=algo, network=network,
        )
        for seed in distinct(seeds)
    ]  # fmt: skip
    folders = [create_run(config, runs) for config in configs]
    return work_on(folders, track, parallel, quiet, json)


@command()
def resume(run: Positional[Path], /, *, track: TrackMode = "offline", quiet: bool = False) -> int:
    """Go on with a run from its last good checkpoint, to the end of its budget.

    Args:
        run: the run folder
        track: Weights & Biases off, offline or online
        quiet: no progress
    """
    from s2lab.resume import resume_run

    outcome = resume_run(run, track=track, quiet=quiet)
    return report_outcomes([outcome], quiet=quiet)


def work_on(
    folders: "Sequence[RunFolder]", track: TrackMode, parallel: int | None, quiet: bool, json: bool
) -> int:
    """Train one run here, several side by side; print what became of them."""
    from s2lab.launch import run_side_by_side
    from s2lab.resume import resume_run
    from s2lab.session import Outcome

    if len(folders) == 1:
        outcomes = [resume_run(folders[0].path, track=track, quiet=quiet)]
    else:
        run_side_by_side(folders, track=track, parallel=parallel, quiet=quiet)
        outcomes = [
            Outcome(folder.path, folder.summary["status"], folder.summary["steps"])
            for folder in folders
        ]
    if json:
        print_json([folder.summary for folder in folders])
    return report_outcomes(outcomes, quiet=json or quiet)


def report_outcomes(outcomes: "Sequence[Outcome]", *, quiet: bool) -> int:
    """One line a run; 130 when one was interrupted, 1 when one failed."""
    from s2lab.run_folder import RunFolder

    for outcome in outcomes:
        if outcome.status == "interrupted":
            print(
                f"interrupted at step {outcome.steps:,}; a checkpoint is written. Go on with:\n"
                f"  s2lab resume {outcome.path}",
                file=sys.stderr,
            )
        elif outcome.status != "finished":
            print(f"{outcome.status}: {outcome.path}", file=sys.stderr)
        elif not quiet:
            found = RunFolder.open(outcome.path).summary.get("eval")
            judged = f"  success {found['success_rate']:.3f} on unseen episodes" if found else ""
            print(f"{outcome.path}{judged}")
    statuses = {outcome.status for outcome in outcomes}
    if "interrupted" in statuses:
        return 130
    return 0 if statuses == {"finished"} else 1


def parse_value(text: str) -> bool | int | float | str:
    """A core's option from the command line."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def resolve_device(device: str) -> str:
    """`auto` becomes what this machine has."""
    from s2lab.session import check_device

    return check_device(device)


def check_parallel(parallel: int | None) -> None:
    """Refuse counts that cannot be meant."""
    if parallel is not None and not 1 <= parallel <= 4096:
        raise UserError(f"--parallel must be between 1 and 4096, got {parallel}")


def distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds, refused when empty or repeated."""
    if not seeds or len(set(seeds)) != len(seeds):
        raise UserError(f"--seeds must name at least one seed and none twice, got {seeds}")
    return seeds
