"""Stable-Baselines3's algorithms as runs like ours, and the masks that one of them takes."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import s2lab
from s2lab import checkpoint
from s2lab.action_masks import WITHOUT_MASK, effective_actions
from s2lab.algorithms import ALGORITHMS, build_algorithm
from s2lab.baselines import Replay
from s2lab.cli import main
from s2lab.config import ppo_config, read_config
from s2lab.envs.choose import vector_worlds
from s2lab.envs.external import register_packages
from s2lab.evaluate import evaluate, evaluation_worlds
from s2lab.presets import PRESETS
from s2lab.resume import resume_run
from s2lab.run_folder import RunFolder

TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2, epochs=1)
WORLD = "MiniGrid-DoorKey-5x5-v0"
OPTIONS = {"dqn": {"learning_starts": 64, "buffer_size": 500}}


def settings(algo: str, **changes: Any) -> s2lab.BaselineConfig:
    fields: dict[str, Any] = {
        "env": WORLD, "algo": algo, "steps": 320, "ppo": TINY, "log_every": 64, "save_every": 128,
        "eval_episodes": 3, "options": OPTIONS.get(algo, {}),
    }  # fmt: skip
    return s2lab.BaselineConfig(**fields | changes)


@pytest.mark.parametrize(
    ("algo", "network"), [*((algo, "same") for algo in ALGORITHMS), ("ppo", "default")]
)
def test_every_algorithm_leaves_a_run_like_ours(algo: str, network: Any, tmp_path: Path) -> None:
    config = settings(algo, network=network)
    outcome = s2lab.baseline(config, runs=tmp_path, quiet=True)
    run = RunFolder.open(outcome.path)
    assert (outcome.status, outcome.steps) == ("finished", 320)
    assert read_config(run) == config
    assert run.summary["agent"] == f"sb3-{algo}" + ("" if network == "same" else "-default")
    names = set().union(*run.metrics())
    wanted = {"rollout/ep_rew_mean", "train/learning_rate", "time/fps", "eval/success_rate"}
    assert wanted - names <= {"rollout/ep_rew_mean"}  # no episode may have ended yet
    assert run.read_json("eval.json")["seeds"] == [2**40 + j for j in range(3)]
    policy = s2lab.load(outcome.path, mode="greedy")
    observation, _ = vector_worlds(WORLD, 2).reset(seed=[1, 2])
    actions, _ = policy.step(observation, policy.initial_state(2), np.ones(2, np.bool_))
    assert actions.shape == (2,)


def test_both_backends_give_the_same_run_number_by_number(tmp_path: Path) -> None:
    rows = []
    for backend in ("native", "minigrid"):
        config = settings("ppo", backend=backend, steps=2048, ppo=s2lab.PPOConfig(num_envs=4))
        run = RunFolder.open(s2lab.baseline(config, runs=tmp_path, quiet=True).path)
        found = [{k: v for k, v in r.items() if not k.startswith("time")} for r in run.metrics()]
        rows.append((json.dumps(found), run.read_json("eval.json")["return"]))
    assert rows[0] == rows[1]


@pytest.mark.parametrize("algo", ["a2c", "recurrent_ppo", "maskable_ppo", "dqn"])
def test_a_stopped_baseline_goes_on(algo: str, tmp_path: Path) -> None:
    config = settings(algo, ppo=replace(TINY, count_bonus=0.1))
    run = RunFolder.open(s2lab.baseline(config, runs=tmp_path, quiet=True).path)
    before = checkpoint.load(run.checkpoints)
    run.write_summary({"status": "interrupted"})
    text = (run.path / "config.yaml").read_text().replace("steps: 320", "steps: 640")
    (run.path / "config.yaml").write_text(text)
    assert resume_run(run.path, quiet=True).status == "finished"
    steps = [row["step"] for row in run.metrics() if "train/learning_rate" in row]
    assert steps == sorted(set(steps))
    assert steps[-1] >= 640
    after = checkpoint.load(run.checkpoints)
    seen, more = (int(each.parts["visits"]["counts"].sum()) for each in (before, after))
    assert 0 < seen <= 320 < more <= 640 + 64, "visits are counted on"
    if algo == "dqn":
        assert before.parts["replay"]["pos"] == 320 // 4
        assert after.parts["replay"]["full"], "500 transitions of 640 are kept"
        assert after.parts["replay"]["pos"] == (640 - 500) // 4


def test_a_seed_makes_an_algorithm_from_its_first_weights_on() -> None:
    first, again, other = (build_algorithm(settings("ppo", seed=seed)) for seed in (0, 0, 1))
    quiet = build_algorithm(settings("ppo", ppo=replace(TINY, value_gain=0.25)))
    weights = [model.policy.state_dict() for model in (first, again, other, quiet)]
    for name, weight in weights[0].items():
        assert weight.equal(weights[1][name])
        factor = 0.25 if name == "value_net.weight" else 1.0
        assert weights[3][name].equal(factor * weight)
    assert not weights[0]["action_net.weight"].equal(weights[2]["action_net.weight"])


def test_a_replay_buffer_comes_back_as_it_was() -> None:
    first, second = (build_algorithm(settings("dqn", seed=seed)) for seed in (0, 1))
    first.learn(320)
    Replay(second.replay_buffer).load_state_dict(Replay(first.replay_buffer).state_dict())  # type: ignore[attr-defined]  # DQN has one
    batches = []
    for model in (first, second):
        np.random.seed(0)  # noqa: NPY002  # what SB3 draws from
        batches.append(model.replay_buffer.sample(50))  # type: ignore[attr-defined]  # DQN has one
    for name in ("actions", "rewards", "dones"):
        assert getattr(batches[0], name).equal(getattr(batches[1], name))
    for name, values in batches[0].next_observations.items():
        assert values.equal(batches[1].next_observations[name])


# Worlds with every kind of object, one per kind of rule.
MASKED = (
    "MiniGrid-DoorKey-6x6-v0", "MiniGrid-KeyCorridorS3R2-v0", "MiniGrid-ObstructedMaze-1Dlhb-v0",
    "MiniGrid-LavaGapS6-v0", "MiniGrid-Fetch-6x6-N2-v0", "MiniGrid-MemoryS7-v0",
    "MiniGrid-RedBlueDoors-6x6-v0", "MiniGrid-UnlockPickup-v0", "BabyAI-GoToLocal-v0",
    "BabyAI-UnlockPickup-v0", "BabyAI-PutNextLocal-v0", "BabyAI-ActionObjDoor-v0",
    "BabyAI-FindObjS5-v0",
)  # fmt: skip


def state_of(world: Any) -> tuple[Any, ...]:
    carried = world.carrying and (world.carrying.type, world.carrying.color)
    place = (*map(int, world.agent_pos), int(world.agent_dir))
    return world.grid.encode().tobytes(), place, carried


def outcomes(world: Any) -> list[bool]:
    """Whether each action, tried in a copy of minigrid's own world, changes anything."""
    changes = []
    for action in range(7):
        trial = copy.deepcopy(world)
        _, reward, terminated, _, _ = trial.step(action)
        changes.append(state_of(trial) != state_of(world) or bool(reward) or terminated)
    return changes


def walk(env_id: str, steps: int) -> list[tuple[Any, list[bool]]]:
    """Observations of a random walk that favours what works, with the outcomes of all actions."""
    register_packages(())
    env = gym.make(env_id, disable_env_checker=True)
    rng, found = np.random.default_rng(0), []
    observation, _ = env.reset(seed=0)
    for _ in range(steps):
        changes = outcomes(env.unwrapped)
        found.append((observation, changes))
        share = 0.2 + np.array(changes) * [1, 1, 4, 8, 2, 8, 1]
        action = rng.choice(7, p=share / share.sum())
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("env_id", MASKED)
def test_a_mask_leaves_out_exactly_what_changes_nothing_in_minigrid(env_id: str) -> None:
    found = walk(env_id, 250)
    image = np.stack([observation["image"] for observation, _ in found])
    masks = effective_actions({"image": image})
    changes = np.array([changes for _, changes in found])
    if "Memory" in env_id:
        assert not changes[:, 3].any(), "minigrid's memory worlds never pick anything up"
        masks[:, 3] = False
    assert masks.tolist() == changes.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "env_id",
    [
        "MiniGrid-GoToDoor-5x5-v0",
        "MiniGrid-GoToObject-6x6-N2-v0",
        "MiniGrid-PutNear-6x6-N2-v0",
    ],
)
def test_worlds_without_a_mask_have_an_action_that_only_counts(
    env_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = walk(env_id, 400)
    masks = effective_actions({"image": np.stack([seen["image"] for seen, _ in found])})
    assert (np.array([changes for _, changes in found]) & ~masks).any()
    assert env_id.startswith(tuple(WITHOUT_MASK))


@pytest.mark.parametrize(
    "env_id", ["MiniGrid-GoToDoor-5x5-v0", "MiniGrid-Dynamic-Obstacles-5x5-v0", "CartPole-v1"]
)
def test_masks_are_refused_where_there_are_none(
    env_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["baseline", env_id, "--algo", "maskable_ppo", "--runs", str(tmp_path)]
    assert main(words) == 2
    assert f"{env_id} has no action mask: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_masked_agent_is_judged_with_its_mask(tmp_path: Path) -> None:
    path = s2lab.baseline(settings("maskable_ppo"), runs=tmp_path, quiet=True).path
    policy: Any = s2lab.load(path)
    taken = []

    class Watched:
        initial_state = policy.initial_state

        def step(self, observation: Any, state: Any, reset: Any) -> Any:
            actions, state = policy.step(observation, state, reset)
            taken.extend(effective_actions(observation)[np.arange(len(actions)), actions])
            return actions, state

    evaluate(Watched(), evaluation_worlds(WORLD, 4), range(2**40, 2**40 + 4))
    assert len(taken) > 100
    assert all(taken)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--algo", "dqn", "--option", "bufer_size=5"], "did you mean 'buffer_size'?"),
        (["--algo", "ppo", "--option", "n_steps=many"], "ppo cannot be set up in"),
        (["--algo", "reccurent_ppo"], "did you mean 'recurrent_ppo'?"),
        (["--backend", "jax"], "jax"),
    ],
)
def test_bad_words_are_refused(
    words: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["baseline", WORLD, *words, "--runs", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("preset", ["zoo-doorkey", "zoo-fourrooms", "zoo-gotolocal"])
def test_zoo_presets_are_the_zoos_where_it_has_them(preset: str) -> None:
    """rl-baselines3-zoo, hyperparams/ppo.yml at 00128b5, MiniGrid entries."""
    ppo = ppo_config(preset, {})
    assert (ppo.lr, ppo.lr_end, ppo.epochs, ppo.clip, ppo.gae_lambda) == (2.5e-4, 1, 10, 0.2, 0.95)
    assert ppo.steps_per_rollout // ppo.minibatches == 64
    expected = {"zoo-doorkey": (8, 128, 0.99), "zoo-fourrooms": (8, 512, 0.99)}
    if preset in expected:
        assert (ppo.num_envs, ppo.rollout_steps, ppo.gamma) == expected[preset]
    assert preset in PRESETS
