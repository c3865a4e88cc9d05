"""Behaviour cloning as a run: demonstrations in, a run folder out, judged as any other.

Validation plays whole episodes greedily, in worlds that neither training, nor demonstrations, nor
evaluation use; the weights that are kept at the end are those of the best validation. Knows no bot.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint, seeds
from s2lab.clock import Every
from s2lab.config import ImitateConfig, TrackMode
from s2lab.errors import UserError, unknown
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome, Session, check_device, last_checkpoint
from s2lab.training import build_model, check_environment

if TYPE_CHECKING:
    import numpy.typing as npt

    from s2lab.agents.imitation import Cloning, Shown
    from s2lab.envs.demonstrations import Demonstrations

VALIDATION_RUN = seeds.RUNS - 1  # validation plays the training worlds of this run


def create_imitation(config: ImitateConfig, runs: Path = Path("runs")) -> RunFolder:
    """Check everything that can be checked before work begins, then make the run folder.

    Raises:
        UserError: an unknown agent, demonstrations that are missing, of another world or too few.
    """
    from s2lab.agents.cores import CORES

    if config.agent not in CORES:
        raise unknown("agent", config.agent, CORES, "s2lab list agents")
    check_device(config.device)
    check_environment(config.env, config.imports)
    demonstrations(config)
    build_model(config)
    return RunFolder.create(
        runs,
        env_id=config.env,
        agent=config.label,
        seed=config.seed,
        kind="imitate",
        config=config.to_dict(),
    )


def demonstrations(config: ImitateConfig) -> "Demonstrations":
    """The demonstrations of a run.

    Raises:
        UserError: they cannot be read, are of another world, or are fewer than asked for.
    """
    from s2lab.envs.demonstrations import read_demonstrations

    try:
        demos = read_demonstrations(Path(config.demos))
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    if demos.env_id != config.env:
        raise UserError(f"{config.demos} holds demonstrations of {demos.env_id}, not {config.env}")
    if len(demos) < max(1, config.demo_episodes):
        raise UserError(
            f"{config.demos} holds {len(demos)} episodes and {max(1, config.demo_episodes)} are "
            f"asked for; record more: s2lab demos {config.env} --out {config.demos}"
        )
    return demos


def run_imitation(
    run: RunFolder, config: ImitateConfig, *, track: TrackMode = "off", quiet: bool = False
) -> Outcome:
    """Learn, or go on learning, in an existing run folder until the budget or patience is spent."""
    import torch

    from s2lab.agents.imitation import Diverged

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    saved = last_checkpoint(run)
    learner = make_learner(config)
    parts: dict[str, checkpoint.Stateful] = {"model": learner.model, "learner": learner}
    with Session(run, config, track=track, quiet=quiet, saved=saved) as session:
        if saved:
            checkpoint.restore(saved, parts)
        due = Every(config.validate_every, learner.step)
        while not finished(learner, config) and not session.stop.requested:
            try:
                losses = learner.update()
            except Diverged as error:
                session.save(parts, always=True)
                raise UserError(f"{error}; lower the learning rate (--cloning lr=...)") from None
            session.advance(learner.step, ())
            session.log(losses)
            if due(learner.step) or learner.step >= config.steps:
                success = validate(learner, config)
                learner.judge(success)
                session.tracker.log(learner.step, {"eval/validation_success_rate": success})
                session.tracker.progress(learner.step, success_rate=success)
            session.save(parts)
        done = finished(learner, config)
        if done:
            learner.take_best()
        outcome = session.finish(parts, done=done)
    return outcome


def finished(learner: "Cloning", config: ImitateConfig) -> bool:
    """Whether the budget is spent, no validation can be better, or none was for too long."""
    stale = learner.best_success >= 1.0 or learner.since_best >= config.patience
    return learner.step >= config.steps or stale


def make_learner(config: ImitateConfig) -> "Cloning":
    """The learner at its beginning.

    Raises:
        UserError: see `demonstrations`; an id that is no world of the engine's.
    """
    import numpy as np

    from s2lab.agents.imitation import Cloning
    from s2lab.envs.replay import Replay

    demos = demonstrations(config)
    count = config.demo_episodes or len(demos)
    replay = Replay(demos)

    def show(episodes: "npt.NDArray[Any]") -> "Shown":
        return shown(replay, episodes)

    return Cloning(
        build_model(config),
        config.cloning,
        lengths=np.asarray(demos.records["length"][:count]),
        show=show,
        total_steps=config.steps,
        seed=seeds.torch_seed(config.seed, "data"),
        device=check_device(config.device),
    )


def shown(replay: Any, episodes: "npt.NDArray[Any]") -> "Shown":
    """Episodes as the learner reads them.

    Raises:
        UserError: an episode does not succeed in these worlds.
    """
    import numpy as np

    from s2lab.agents.imitation import Shown

    try:
        played = replay.play(episodes)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not played.success.all():
        raise UserError(
            f"{replay.demos.path}: {int((~played.success).sum())} episodes do not succeed in these "
            "worlds; they are damaged or of another version: record them again"
        )
    missions = np.repeat(played.mission, played.lengths, axis=0)  # int16 [S, L]
    observation = {"image": played.image, "direction": played.direction, "mission": missions}
    return Shown(played.starts, observation, played.actions.astype(np.int64))


def validate(learner: "Cloning", config: ImitateConfig) -> float:
    """Success rate of the greedy policy in validation's worlds."""
    from s2lab.evaluate import evaluate, evaluation_worlds
    from s2lab.policy import AgentPolicy

    worlds = evaluation_worlds(config.env, config.validation_episodes)
    try:
        policy = AgentPolicy(learner.model, "greedy")
        found = evaluate(
            policy, worlds, seeds.world_seeds(VALIDATION_RUN, config.validation_episodes)
        )
    finally:
        worlds.close()
        learner.model.train()
    return float(found.success.mean())
