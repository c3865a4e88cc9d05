"""Training our own agents: a list of clocks around `agents/ppo.py`. Knows no SB3."""

import json
import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint, seeds, together
from s2lab.config import TrackMode, TrainConfig
from s2lab.errors import UserError, unknown
from s2lab.process import tune_process
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome, Session, check_device, last_checkpoint
from s2lab.warm_start import load_features, load_weights

if TYPE_CHECKING:
    import gymnasium as gym

    from s2lab.agents.actor_critic import ActorCritic
    from s2lab.agents.ppo import PPO, Diverged

LAST_METRICS = 100  # lines that are kept when a loss explodes
DIVERGED = "diverged.json"  # where they are kept


def create_run(config: TrainConfig, runs: Path = Path("runs")) -> RunFolder:
    """Check everything that can be checked before work begins, then make the run folder.

    Raises:
        UserError: an unknown environment, agent or option, a device that is not there, a folder
            that cannot be written.
    """
    from s2lab.agents.cores import CORES

    if config.agent not in CORES:
        raise unknown("agent", config.agent, CORES, "s2lab list agents")
    check_device(config.device)
    check_environment(config.env, config.imports)
    model = build_model(config)
    begin_with(model, config)
    return RunFolder.create(
        runs,
        env_id=config.env,
        agent=config.label,
        seed=config.seed,
        kind="train",
        config=config.to_dict(),
    )


def create_runs(configs: Sequence[TrainConfig], runs: Path) -> list[RunFolder]:
    """A folder for every configuration; under torchrun the first process makes the only one.

    Raises:
        UserError: several runs under torchrun, or what `create_run` refuses.
    """
    if together.count() > 1 and len(configs) > 1:
        raise UserError(f"torchrun works on one run, not on {len(configs)}: give one seed")
    for config in configs:
        together.portion(config.ppo)
    paths = together.by_the_first(lambda: [create_run(each, runs).path for each in configs])
    return [RunFolder.open(path) for path in paths]


def train(
    config: TrainConfig,
    *,
    runs: str | Path = "runs",
    track: TrackMode = "off",
    quiet: bool = False,
) -> Outcome:
    """Train from scratch in a new run folder.

    Raises:
        UserError: see `create_run`.
    """
    return run_training(create_run(config, Path(runs)), config, track=track, quiet=quiet)


def run_training(
    run: RunFolder, config: TrainConfig, *, track: TrackMode = "off", quiet: bool = False
) -> Outcome:
    """Train, or go on training, in an existing run folder until the budget is spent.

    Raises:
        UserError: settings that do not fit the machine, a loss that is no number, bf16 or compiled
            losses that are not the eager ones.
    """
    from s2lab.agents.execution import Disagrees
    from s2lab.agents.parallel import any_of
    from s2lab.agents.ppo import Diverged

    tune_process()
    rank, saved = together.join(), last_checkpoint(run)
    writer = Session(run, config, track=track, quiet=quiet, saved=saved) if rank == 0 else None
    with writer or together.Follower(config, run.path, saved) as session:
        learner = make_learner(config, session.resumes, fresh=not saved)
        whole = together.OneOfAll(learner) if together.count() > 1 else learner
        parts: dict[str, checkpoint.Stateful] = {"model": learner.model, "learner": whole}
        if saved:
            checkpoint.restore(saved, parts)
        while learner.step < config.steps and not any_of(session.stop.requested):
            episodes = [(e.return_, e.length, e.success) for e in learner.collect()]
            session.advance(learner.step, together.gathered(episodes))
            try:
                losses = learner.update()
            except Diverged as error:
                session.save(parts, always=True)
                raise stopped(run, error) from None
            except Disagrees as error:
                raise UserError(f"{error}: train without that flag") from None
            session.log(losses)
            session.save(parts)
        outcome = session.finish(parts)
    learner.worlds.close()
    return outcome


def begin_with(model: "ActorCritic", config: TrainConfig) -> None:
    """Weights of earlier runs that the settings name.

    Raises:
        UserError: weights that are missing or do not fit.
    """
    if config.encoder.icf_run:
        load_features(model, Path(config.encoder.icf_run))
    if config.start:
        load_weights(model, Path(config.start))


def make_learner(config: TrainConfig, resumes: int, *, fresh: bool) -> "PPO":
    """The learner of this process, its worlds at their seeds.

    Args:
        config: of the run
        resumes: how often it was resumed; worlds without a saved state begin at seeds of their own
        fresh: whether to begin with the weights that the settings name
    """
    from s2lab.agents.ppo import PPO
    from s2lab.envs.choose import vector_worlds

    model = build_model(config)
    if fresh:
        begin_with(model, config)
    ppo, rank = together.portion(config.ppo), together.join()
    first = resumes * config.ppo.num_envs + rank * ppo.num_envs
    return PPO(
        vector_worlds(config.env, ppo.num_envs, device=check_device(config.device)),
        model,
        ppo,
        total_steps=config.steps,
        world_seeds=seeds.world_seeds(config.seed, ppo.num_envs, first),
        policy_seed=seeds.torch_seed(config.seed, "policy") + rank,
        device=check_device(config.device),
        bf16=config.bf16,
        compiled=config.compiled,
    )


def build_model(config: TrainConfig) -> "ActorCritic":
    """The network with the initial weights of the run's seed.

    Raises:
        UserError: a space without an encoder, a core option that is unknown or out of range.
    """
    import torch

    from s2lab.agents.actor_critic import ActorCritic

    world = check_environment(config.env, config.imports)
    torch.manual_seed(seeds.torch_seed(config.seed, "init"))
    try:
        model = ActorCritic(
            world.observation_space,  # type: ignore[arg-type]  # every world here is a Dict
            world.action_space,
            config.agent,
            config.core,
            config.encoder,
            skip=config.skip,
        )
        with torch.no_grad():
            model.heads.value.weight *= config.ppo.value_gain
        return model
    except ValueError as error:
        raise UserError(str(error)) from None
    finally:
        world.close()


def check_environment(env_id: str, imports: tuple[str, ...]) -> "gym.Env[Any, Any]":
    """One world of the id.

    Raises:
        UserError: a package that cannot be imported, an unknown id, a world that cannot be made.
    """
    import gymnasium as gym

    from s2lab.envs.external import known_ids, make_single, register_packages

    try:
        register_packages(imports)
    except ImportError as error:
        raise UserError(f"--import: {error}; install the package or correct its name") from None
    if env_id not in gym.registry and ":" not in env_id:
        raise unknown("environment", env_id, known_ids(), "s2lab list envs")
    try:
        return make_single(env_id)
    except (gym.error.Error, ImportError, OSError) as error:
        raise UserError(f"environment {env_id}: {' '.join(str(error).split())}") from None


def stopped(run: RunFolder, error: "Diverged") -> UserError:
    """Write `diverged.json`: the term, the step, its losses, the last lines of the metrics."""
    with run.metrics_path.open() as file:
        last = [json.loads(line) for line in deque(file, maxlen=LAST_METRICS)]
    losses = {name: value if math.isfinite(value) else None for name, value in error.losses.items()}
    found = {"format": 1, "term": error.term, "step": error.step, "losses": losses, "metrics": last}
    run.write_json(DIVERGED, found)
    return UserError(
        f"{error}; a checkpoint with the weights before it and diverged.json are in {run.path}: "
        "lower the learning rate (--ppo lr=...) and train again"
    )


def check_finite(losses: dict[str, float], step: int, path: Path) -> None:
    """Stop rather than train on with broken weights.

    Raises:
        UserError: names the term, the step and the command that goes back.
    """
    for name, value in losses.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} became {value} at step {step}; the last checkpoint is good: lower the "
                f"learning rate and train again, or s2lab resume {path}"
            )
