"""`sweep`: a search over settings."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from s2lab.commands.options import RunOptions, chosen_network, chosen_options
from s2lab.commands.registry import command, last_words, print_json
from s2lab.config import BaselineConfig, TrainConfig, assignments
from s2lab.errors import UserError

if TYPE_CHECKING:
    from s2lab.sweep import CreateRun, Plan


@command()
def sweep(
    env: Positional[str],
    /,
    options: Annotated[RunOptions, arg(name="")],
    *,
    space: tuple[str, ...] = (),
    trials: int = 20,
    study: Path | None = None,
    agent: str = "lstm",
    core: tuple[str, ...] = (),
    encoder: tuple[str, ...] = (),
    skip: bool = False,
    algo: str = "",
    metric: Literal["success_rate", "mean_return"] = "success_rate",
    sampler: Literal["tpe", "random"] = "tpe",
    pruner: Literal["median", "halving", "none"] = "median",
    workers: int = 4,
) -> int:
    """Search settings with Optuna; said again, it goes on where it was, here or on other machines.

    Args:
        env: gymnasium id (s2lab list envs)
        options: shared by all trials; --steps is the budget of each
        space: settings to vary, as name=low:high, name=log:low:high or name=choice,choice
        trials: how many in all, over all machines
        study: folder of the search (default: sweeps/<env>__<agent>)
        agent: recurrent core (s2lab list agents)
        core: options of the core, as name=value
        encoder: settings of the encoder, as name=value
        skip: policy and value read the encoder's features beside the core's outputs
        algo: search a Stable-Baselines3 algorithm in place of an agent (s2lab list baselines)
        metric: of the final evaluation, to be raised
        sampler: tree-structured Parzen estimator, or at random
        pruner: stop trials below the median, or by successive halving, or none
        workers: jobs that share the study, under --launcher slurm or ray
    """
    from s2lab import baselines, training
    from s2lab.sweep import Plan
    from s2lab.sweep_space import parse_space

    if not 1 <= trials <= 100_000:
        raise UserError(f"--trials must be between 1 and 100_000, got {trials}")
    if not 1 <= workers <= 10_000:
        raise UserError(f"--workers must be between 1 and 10_000, got {workers}")
    if len(options.seeds) != 1:
        raise UserError(f"a sweep trains every trial on one seed, got --seeds {options.seeds}")
    (fields,) = options.settings(env)
    if not fields["eval_episodes"]:
        raise UserError("a sweep judges by the final evaluation: --eval-episodes must be above 0")
    base: TrainConfig | BaselineConfig
    if algo:
        base = BaselineConfig(**fields, algo=algo, options=chosen_options(options, algo, ()))
    else:
        base = TrainConfig(**fields, **chosen_network(agent, core, encoder, skip))
    bases = options.varied([base])
    if len(bases) > 1:
        raise UserError("a sweep has one base: give --vary one value each, and --space the rest")
    varied = parse_space(bases[0], assignments("--space", space))
    plan = Plan(bases[0], varied, trials, metric, sampler, pruner)
    folder = study or Path("sweeps") / f"{env.replace('/', '-')}__{base.label}"
    create: CreateRun = baselines.create_run if algo else training.create_run
    with TemporaryDirectory() as scratch:  # what no trial could begin with is refused here
        create(plan.base, Path(scratch))
    if options.launcher != "local":
        return share(folder, options, workers)
    return work(plan, folder, create, options)


def work(plan: "Plan", folder: Path, create: "CreateRun", options: RunOptions) -> int:
    """Work on the study here, then write what was found; 1 when no trial came to a score."""
    from s2lab.sweep import run_sweep
    from s2lab.sweep_results import sweep_record, write_results

    found = run_sweep(
        plan,
        folder,
        create,
        parallel=options.parallel or os.cpu_count() or 1,
        track=options.track,
        say=(lambda line: None) if options.quiet else (lambda line: print(line, file=sys.stderr)),
    )
    written = write_results(found, plan, folder)
    if options.json:
        print_json(sweep_record(found, plan))
    else:
        for path in written:
            print(path)
    if not any(trial.state.name == "COMPLETE" for trial in found.get_trials(deepcopy=False)):
        print(f"no trial of {folder} came to a score", file=sys.stderr)
        return 1
    return 0


def share(folder: Path, options: RunOptions, workers: int) -> int:
    """The same words, said by every worker of a cluster; each takes trials from the study."""
    from s2lab.launchers.job import CommandJob

    launch = options.chosen_launch()
    words = [*last_words(), "--launcher", "local", "--launch", "--parallel", "1", "--quiet"]
    jobs = [CommandJob(words) for _ in range(workers)]
    if launch.launcher == "ray":
        from s2lab.launchers.ray_cluster import jobs_on_ray

        failed = jobs_on_ray(jobs, launch.ray, address=launch.ray_address)
        print(folder / "report.html")
        return 1 if failed else 0
    from s2lab.launchers.slurm import submit_jobs

    for job in submit_jobs(jobs, launch.slurm, folder=folder / "slurm"):
        print(f"job {job.job_id}")
    print(f"follow them with: s2lab watch {folder / 'runs'}", file=sys.stderr)
    return 0
