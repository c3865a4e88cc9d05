"""`train`, `baseline`, `resume`: commands that spend environment steps."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from s2lab.commands.options import Options, RunOptions, chosen_network, chosen_options
from s2lab.commands.registry import command, print_json
from s2lab.config import BaselineConfig, TrackMode, TrainConfig, assignments, encoder_config
from s2lab.launchers import Launch

if TYPE_CHECKING:
    from s2lab.run_folder import RunFolder
    from s2lab.session import Outcome


@command()
def train(
    env: Positional[str],
    /,
    options: Options,
    *,
    agent: str = "lstm",
    core: tuple[str, ...] = (),
    encoder: tuple[str, ...] = (),
    skip: bool = False,
    bf16: bool = False,
    compiled: Annotated[bool, arg(name="compile")] = False,
    start: Annotated[Path | None, arg(name="from")] = None,
) -> int:
    """Train an agent with recurrent PPO; seeds run side by side, or one under torchrun in several.

    Args:
        env: gymnasium id (s2lab list envs)
        options: shared by all runs
        agent: recurrent core (s2lab list agents)
        core: options of the core, as name=value, such as hidden_size=64
        encoder: settings of the encoder, as name=value: grid=table, convolutions or film,
            icf_run=RUN (features of train-icf, icf_frozen=true or false),
            cell_size, channels, mission_size, feature_size, bare_floor, without_mission
        skip: policy and value read the encoder's features beside the core's outputs; rare
            rewards are then learned sooner
        bf16: matrix products in bfloat16
        compiled: torch.compile; CUDA graphs on a GPU
        start: run folder whose network, weights included, to begin with, such as one of imitate
    """
    from s2lab.training import create_runs
    from s2lab.warm_start import network_of

    chosen = chosen_network(agent, core, encoder, skip)
    if start is not None:
        chosen = network_of(start) | {"start": str(start)}
    chosen |= {"bf16": bf16, "compiled": compiled}
    configs = [TrainConfig(**fields, **chosen) for fields in options.settings(env)]
    return work_on(create_runs(options.varied(configs), options.runs), options)


@command()
def baseline(
    env: Positional[str],
    /,
    options: Options,
    *,
    algo: str = "ppo",
    network: Literal["same", "default"] = "same",
    encoder: tuple[str, ...] = (),
    backend: Literal["native", "minigrid"] = "native",
    option: tuple[str, ...] = (),
) -> int:
    """Train a Stable-Baselines3 algorithm as a run like any other.

    Args:
        env: gymnasium id (s2lab list envs)
        options: shared by all runs
        algo: algorithm (s2lab list baselines)
        network: `same` observation encoder as our agents, or SB3's `default`
        encoder: settings of that encoder, as name=value
        backend: worlds of our `native` engine, or of the `minigrid` package
        option: arguments of SB3's algorithm, as name=value, such as buffer_size=100000
    """
    from s2lab.baselines import create_run

    chosen: dict[str, Any] = {
        "algo": algo,
        "network": network,
        "encoder": encoder_config(assignments("--encoder", encoder)),
        "backend": backend,
        "options": chosen_options(options, algo, option),
    }
    configs = [BaselineConfig(**fields, **chosen) for fields in options.settings(env)]
    return work_on([create_run(each, options.runs) for each in options.varied(configs)], options)


@command()
def resume(run: Positional[Path], /, *, track: TrackMode = "offline", quiet: bool = False) -> int:
    """Go on with a run from its last good checkpoint, to the end of its budget.

    Args:
        run: the run folder
        track: Weights & Biases off, offline or online
        quiet: no progress
    """
    return report_outcomes([resume_here(run, track, quiet)], quiet=quiet)


def work_on(folders: "Sequence[RunFolder]", options: RunOptions) -> int:
    """Train one run here, several side by side or on a cluster; print what became of them."""
    from s2lab.launch import run_side_by_side

    launch = options.chosen_launch()
    if launch.launcher == "slurm":
        return submit_array(folders, options, launch)
    if launch.launcher == "ray":
        from s2lab.launchers.ray_cluster import run_on_ray

        paths = [folder.path for folder in folders]
        run_on_ray(paths, launch.ray, address=launch.ray_address, track=options.track)
        outcomes = [_outcome(folder) for folder in folders]
    elif len(folders) == 1:
        outcomes = [resume_here(folders[0].path, options.track, options.quiet)]
    else:
        run_side_by_side(
            folders, track=options.track, parallel=options.parallel, quiet=options.quiet
        )
        outcomes = [_outcome(folder) for folder in folders]
    if options.json:
        print_json([folder.summary for folder in folders])
    return report_outcomes(outcomes, quiet=options.json or options.quiet)


def resume_here(path: Path, track: TrackMode, quiet: bool) -> "Outcome":
    """Work on a run in this process; a Ctrl-C at any moment makes it an interrupted one."""
    from s2lab.launch import note_end
    from s2lab.resume import resume_run
    from s2lab.run_folder import RunFolder

    try:
        return resume_run(path, track=track, quiet=quiet)
    except KeyboardInterrupt:
        run = RunFolder.open(path)
        note_end(run, 130)
        return _outcome(run)


def submit_array(folders: "Sequence[RunFolder]", options: RunOptions, launch: Launch) -> int:
    """Submit and return; the jobs go on without us."""
    from s2lab.launchers.slurm import submit

    jobs = submit(
        [folder.path for folder in folders],
        launch.slurm,
        track=options.track,
        folder=options.runs / "slurm",
    )
    submitted = [
        {"job": job.job_id, "run": str(folder.path)}
        for job, folder in zip(jobs, folders, strict=True)
    ]
    if options.json:
        print_json(submitted)
    else:
        for entry in submitted:
            print(f"job {entry['job']}: {entry['run']}")
        print(f"follow them with: s2lab watch {options.runs}", file=sys.stderr)
    return 0


def _outcome(folder: "RunFolder") -> "Outcome":
    from s2lab.session import Outcome

    return Outcome(folder.path, folder.summary["status"], folder.summary["steps"])


def report_outcomes(outcomes: "Sequence[Outcome]", *, quiet: bool) -> int:
    """One line a run; 130 when one was interrupted, 1 when one failed."""
    from s2lab.run_folder import RunFolder

    for outcome in outcomes:
        if outcome.status == "interrupted":
            saved = "; a checkpoint is written" if outcome.steps else ""
            print(
                f"interrupted at step {outcome.steps:,}{saved}. Go on with:\n"
                f"  s2lab resume {outcome.path}",
                file=sys.stderr,
            )
        elif outcome.status != "finished":
            print(
                f"{outcome.status}: {outcome.path}; go on from its last checkpoint with s2lab "
                "resume",
                file=sys.stderr,
            )
        elif not quiet:
            found = RunFolder.open(outcome.path).summary.get("eval")
            judged = f"  success {found['success_rate']:.3f} on unseen episodes" if found else ""
            print(f"{outcome.path}{judged}")
    statuses = {outcome.status for outcome in outcomes}
    if "interrupted" in statuses:
        return 130
    return 0 if statuses == {"finished"} else 1
