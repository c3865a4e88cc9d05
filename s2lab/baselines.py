"""Stable-Baselines3 as a run like ours: same folder, metrics, seeds, evaluator, checkpoints."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint, seeds
from s2lab.config import BaselineConfig, TrackMode
from s2lab.errors import unknown
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome, Session, check_device, last_checkpoint
from s2lab.training import check_environment, check_finite

if TYPE_CHECKING:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

# Names of algorithms -> what they are.
BASELINES = {"ppo": "proximal policy optimisation, Stable-Baselines3"}


def create_run(config: BaselineConfig, runs: Path = Path("runs")) -> RunFolder:
    """Check the settings, then make the run folder.

    Raises:
        UserError: an unknown environment or algorithm, a device or folder that will not do.
    """
    if config.algo not in BASELINES:
        raise unknown("algorithm", config.algo, BASELINES, "s2lab list baselines")
    check_device(config.device)
    check_environment(config.env, config.imports).close()
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
    from stable_baselines3.common.callbacks import BaseCallback

    from s2lab.track_sb3 import sb3_logger

    saved = last_checkpoint(run)
    with Session(run, config, track=track, quiet=quiet, saved=saved) as session:
        model = build_algorithm(config, first_world=session.resumes * config.ppo.num_envs)
        parts: dict[str, checkpoint.Stateful] = {
            "model": model.policy,
            "optimizer": model.policy.optimizer,
        }
        if saved:
            checkpoint.restore(saved, parts)
            model.num_timesteps = saved.step
        model.set_logger(sb3_logger(session.tracker, lambda: session.success_counts))

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
                check_finite({"train/loss": loss}, self.num_timesteps, run.path)
                session.advance(self.num_timesteps, [])
                session.save(parts)

        model.learn(
            config.steps - model.num_timesteps,
            Clocks(),
            log_interval=max(1, config.log_every // config.ppo.steps_per_rollout),
            reset_num_timesteps=saved is None,
        )
        session.advance(model.num_timesteps, [])
        return session.finish(parts)


def build_algorithm(config: BaselineConfig, first_world: int = 0) -> "PPO":
    """The SB3 model with the settings of our own PPO where both have them."""
    from stable_baselines3 import PPO

    from s2lab.agents.sb3 import EncoderExtractor

    ppo = config.ppo
    kwargs: dict[str, Any] = {"optimizer_kwargs": {"eps": ppo.adam_eps}}
    if config.network == "same":
        kwargs |= {"features_extractor_class": EncoderExtractor, "normalize_images": False}
    model = PPO(
        "MultiInputPolicy",
        _worlds(config, first_world),
        learning_rate=linear_schedule(ppo.lr, ppo.lr_end),
        n_steps=ppo.rollout_steps,
        batch_size=ppo.steps_per_rollout // ppo.minibatches,
        n_epochs=ppo.epochs,
        gamma=ppo.gamma,
        gae_lambda=ppo.gae_lambda,
        clip_range=ppo.clip,
        ent_coef=ppo.entropy_coef,
        vf_coef=ppo.value_coef,
        max_grad_norm=ppo.max_grad_norm,
        policy_kwargs=kwargs,
        device=check_device(config.device),
    )
    model.set_random_seed(seeds.torch_seed(config.seed, "init"))
    model.get_env().seed(seeds.world_seed(config.seed, first_world))  # type: ignore[union-attr]  # it has one
    return model


def linear_schedule(start: float, end_fraction: float) -> Callable[[float], float]:
    """SB3's form of our learning-rate schedule: a function of the remaining fraction."""
    return lambda remaining: start * (end_fraction + (1 - end_fraction) * remaining)


def _worlds(config: BaselineConfig, first_world: int) -> "DummyVecEnv":
    """The same worlds as our own run of this seed: SB3 seeds world i with its base plus i."""
    import gymnasium as gym
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    from s2lab.envs.external import ReportSuccess, make_single, register_packages

    register_packages(config.imports)

    def make() -> gym.Env[Any, Any]:
        return Monitor(ReportSuccess(make_single(config.env)))

    return DummyVecEnv([make] * config.ppo.num_envs)
