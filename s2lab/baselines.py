"""Stable-Baselines3 as a run like ours: same folder, metrics, seeds, evaluator, checkpoints.

A resumed run goes on with the same weights, optimiser, schedules, exploration and replay buffer, in
new worlds of the same run; SB3 keeps no state of episodes under way, so it is not bit for bit.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint
from s2lab.algorithms import ALGORITHMS, build_algorithm
from s2lab.clock import Every
from s2lab.config import BaselineConfig, TrackMode
from s2lab.errors import unknown
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome, Session, check_device, last_checkpoint
from s2lab.training import check_environment, check_finite

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.buffers import ReplayBuffer
    from stable_baselines3.common.callbacks import BaseCallback

# Names of algorithms -> what they are.
BASELINES = {name: entry.summary for name, entry in ALGORITHMS.items()}
NEVER = 10**12  # episodes between two lines that SB3 would write by itself


def create_run(config: BaselineConfig, runs: Path = Path("runs")) -> RunFolder:
    """Check the settings, then make the run folder.

    Raises:
        UserError: an unknown environment, algorithm or option, a world without masks where they
            are asked for, a device or folder that will not do.
    """
    from s2lab.action_masks import check_maskable

    if config.algo not in ALGORITHMS:
        raise unknown("algorithm", config.algo, ALGORITHMS, "s2lab list baselines")
    check_device(config.device)
    world = check_environment(config.env, config.imports)
    world.close()
    if config.algo == "maskable_ppo":
        check_maskable(config.env, world.observation_space, world.action_space)
    build_algorithm(config).get_env().close()  # type: ignore[union-attr]  # it has one
    return RunFolder.create(
        runs,
        env_id=config.env,
        agent=config.label,
        seed=config.seed,
        kind="baseline",
        config=config.to_dict(),
    )


def baseline(
    config: BaselineConfig,
    *,
    runs: str | Path = "runs",
    track: TrackMode = "off",
    quiet: bool = False,
) -> Outcome:
    """Train an SB3 algorithm from scratch in a new run folder."""
    return run_baseline(create_run(config, Path(runs)), config, track=track, quiet=quiet)


def run_baseline(
    run: RunFolder, config: BaselineConfig, *, track: TrackMode = "off", quiet: bool = False
) -> Outcome:
    """Train, or go on training, in an existing run folder until the budget is spent."""
    from s2lab.track_sb3 import sb3_logger

    saved = last_checkpoint(run)
    with Session(run, config, track=track, quiet=quiet, saved=saved) as session:
        model = build_algorithm(config, first_world=session.resumes * config.ppo.num_envs)
        parts = _parts(model)
        if saved:
            checkpoint.restore(saved, parts)
            model.num_timesteps = saved.step
        model.set_logger(sb3_logger(session.tracker, session.own_figures))
        on_policy = "rollouts" in ALGORITHMS[config.algo].takes
        per_rollout = config.ppo.steps_per_rollout
        model.learn(
            config.steps - model.num_timesteps,
            _clocks(session, config, parts, writes_lines=not on_policy),
            log_interval=max(1, config.log_every // per_rollout) if on_policy else NEVER,
            reset_num_timesteps=saved is None,
        )
        session.advance(model.num_timesteps, [])
        return session.finish(parts)


def _clocks(
    session: Session,
    config: BaselineConfig,
    parts: Mapping[str, checkpoint.Stateful],
    *,
    writes_lines: bool,
) -> "BaseCallback":
    """What happens between SB3's steps and updates."""
    from stable_baselines3.common.callbacks import BaseCallback

    line_due = Every(config.log_every, session.step)

    class Clocks(BaseCallback):
        def _on_training_start(self) -> None:
            # SB3 counts time and frames anew on every `learn`; a resumed run goes on.
            self.model.start_time -= int(session.elapsed_before_s * 1e9)
            self.model._num_timesteps_at_start = 0

        def _on_step(self) -> bool:
            ended = [info for info in self.locals["infos"] if "episode" in info]
            episodes = [
                (info["episode"]["r"], int(info["episode"]["l"]), info["is_success"])
                for info in ended
            ]
            if ended or session.stop.requested:
                session.advance(self.num_timesteps, episodes)
            return not session.stop.requested

        def _on_rollout_end(self) -> None:
            loss = self.logger.name_to_value.get("train/loss", 0.0)
            check_finite({"train/loss": loss}, self.num_timesteps, session.run.path)
            session.advance(self.num_timesteps, [])
            if writes_lines and line_due(self.num_timesteps):
                self.model.dump_logs()
            session.save(parts)

    return Clocks()


def _parts(model: "BaseAlgorithm") -> dict[str, checkpoint.Stateful]:
    """What a checkpoint holds of a model."""
    from stable_baselines3.common.vec_env import unwrap_vec_wrapper

    from s2lab.sb3_worlds import Counted

    parts: dict[str, checkpoint.Stateful] = {
        "model": model.policy,
        "optimizer": model.policy.optimizer,
    }
    if (buffer := getattr(model, "replay_buffer", None)) is not None:
        parts["replay"] = Replay(buffer)
    if (counted := unwrap_vec_wrapper(model.get_env(), Counted)) is not None:  # type: ignore[arg-type]  # it has one
        parts["visits"] = counted.visits
    return parts


class Replay:
    """A replay buffer as one part of a checkpoint: only the transitions that it has."""

    def __init__(self, buffer: "ReplayBuffer") -> None:
        self.buffer = buffer

    def state_dict(self) -> dict[str, Any]:
        """Arrays as tensors [filled, worlds, ...]."""
        import torch

        buffer = self.buffer
        filled = buffer.buffer_size if buffer.full else buffer.pos
        arrays = {
            name: torch.from_numpy(array[:filled].copy()) for name, array in self._arrays().items()
        }
        return {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Put the transitions back."""
        for name, array in self._arrays().items():
            kept = saved["arrays"][name].numpy()
            array[: len(kept)] = kept
        self.buffer.pos, self.buffer.full = saved["pos"], saved["full"]

    def _arrays(self) -> dict[str, Any]:
        buffer: Any = self.buffer
        found = {name: getattr(buffer, name) for name in ("actions", "rewards", "dones")}
        found["timeouts"] = buffer.timeouts
        for name in ("observations", "next_observations"):
            found |= {f"{name}.{field}": array for field, array in getattr(buffer, name).items()}
        return found
