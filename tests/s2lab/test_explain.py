"""Films and pictures of what happens inside, from runs of a few steps."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import s2lab
from s2lab.envs.spaces import EVENT_BITS
from s2lab.episode import play_episode
from s2lab.errors import UserError
from s2lab.evaluate import evaluate, evaluation_worlds
from s2lab.explain import draw_inside, measure, open_agent, trace_episode
from s2lab.film import film_run, sheet
from s2lab.inside_picture import panels
from s2lab.seeds import eval_seed

SMALL = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2, epochs=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = s2lab.TrainConfig(
        "MiniGrid-DoorKey-5x5-v0", agent="workspace", steps=64, ppo=SMALL, eval_episodes=0,
        core={"module_count": 3, "module_size": 8, "active_count": 2, "slots": 2},
    )  # fmt: skip
    return s2lab.train(config, runs=tmp_path_factory.mktemp("runs"), quiet=True).path


def test_a_drawn_episode_is_the_one_that_the_evaluator_plays(run: Path) -> None:
    policy, config = open_agent(run)
    episode = play_episode(policy, config.env, eval_seed(0))
    again, _ = open_agent(run)
    judged = evaluate(again, evaluation_worlds(config.env, 1), [eval_seed(0)])
    assert judged.lengths[0] == len(episode.actions) == len(episode.frames) - 1
    assert judged.returns[0] == pytest.approx(episode.rewards.sum())
    assert bool(judged.success[0]) == episode.success
    assert "door" in episode.mission


def test_the_trace_is_of_the_steps_that_were_played(run: Path) -> None:
    policy, config = open_agent(run)
    policy.model.double()  # in single precision, steps and sequence drift apart over 250 steps
    episode = play_episode(policy, config.env, eval_seed(1))
    traced = trace_episode(policy, episode)
    assert (traced["active"].sum(1) == 2).all()
    state = policy.initial_state(1)
    outputs = []
    for t in range(len(episode.actions)):
        shown = {
            name: torch.as_tensor(field)[t][None] for name, field in episode.observations.items()
        }
        with torch.no_grad():
            features = policy.model.encoder(shown)[None]
            out, state = policy.model.core(features, state, torch.tensor([[t == 0]]))
        outputs.append(out[0, 0].numpy())
    np.testing.assert_allclose(traced["outputs"], np.stack(outputs), atol=1e-9)


def test_panels_keep_pairs_and_steps_apart() -> None:
    write = np.zeros((5, 2, 2, 3))  # [T, heads, slots, modules]
    write[4, :, 1, 2] = [0.5, 1.0]
    (panel,) = panels({"workspace_write": write, "outputs": np.zeros((5, 1))})
    _, names, values = panel
    assert values.shape == (6, 5)
    assert values[names.index("slot 1, module 2"), 4] == 0.75
    assert values.sum() == 0.75


def test_the_table_knows_what_is_used_and_what_happened(run: Path) -> None:
    found = measure(*open_agent(run), steps=800)
    assert found is not None
    assert found.of == "module"
    assert sum(found.usage) == pytest.approx(2)  # two of three at every step
    assert set(found.events) <= set(EVENT_BITS)
    assert "door_in_view" in found.events
    for bits in found.bits:
        for value, most in zip(bits, found.entropy, strict=True):
            assert -1e-12 <= value <= most + 1e-12


def test_the_picture_of_an_episode_is_a_picture(run: Path) -> None:
    path = draw_inside(run, 0)
    with Image.open(path) as image:
        assert image.size[0] > 1000
    with pytest.raises(UserError, match="0 or more, got -1"):
        draw_inside(run, -1)


def test_films_have_a_picture_per_step(run: Path) -> None:
    (path,) = film_run(run, 1, "latest", "sampled", "gif")
    policy, config = open_agent(run)
    episode = play_episode(policy, config.env, eval_seed(0))
    with Image.open(path) as film:
        assert film.n_frames <= len(episode.frames) + 6  # equal neighbours may become one
        assert film.size == episode.frames[0].shape[1::-1]


def test_without_the_extra_there_is_a_sheet(run: Path, monkeypatch: Any) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "imageio" in name else real(name)
    )
    (path,) = film_run(run, 1, "latest", "greedy", "gif")
    assert path.suffix == ".png"


def test_mp4_without_its_encoder_is_refused(run: Path, monkeypatch: Any) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "ffmpeg" in name else real(name)
    )
    with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
        film_run(run, 1, "latest", "sampled", "mp4")


def test_a_sheet_begins_with_the_first_picture_and_ends_with_the_last(tmp_path: Path) -> None:
    frames = [np.full((3, 4, 3), shade, np.uint8) for shade in range(100)]
    (tmp_path / "sheet.png").write_bytes(sheet(frames))
    with Image.open(tmp_path / "sheet.png") as image:
        shades = np.asarray(image)[..., 0]
    assert shades[4, 4] == 0
    assert sorted(set(shades.flatten().tolist()))[-2] == 99  # 255 is the paper


def test_a_run_of_sb3_has_no_inside(tmp_path: Path) -> None:
    from s2lab.baselines import baseline
    from s2lab.config import BaselineConfig

    config = BaselineConfig("MiniGrid-Empty-5x5-v0", steps=64, ppo=SMALL, eval_episodes=0)
    outcome = baseline(config, runs=tmp_path, quiet=True)
    with pytest.raises(UserError, match="looks inside our cores"):
        open_agent(outcome.path)
