"""Checkpoints are exact, verified, and readable by other tools."""

import copy
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from s2lab import checkpoint
from s2lab.errors import UserError
from s2lab.random_state import RandomState


class Learner:
    """A small learner whose every number depends on every stream it draws from."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.model = torch.nn.LSTM(3, 5)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01, amsgrad=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 50)
        self.policy = torch.Generator().manual_seed(2)
        self.minibatch = np.random.default_rng(3)
        self.streams = RandomState({"policy": self.policy, "minibatch": self.minibatch})

    def parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "random": self.streams,
        }

    def learn(self, updates: int) -> list[float]:
        losses = []
        for _ in range(updates):
            inputs = torch.randn(4, 2, 3, generator=self.policy)
            scale = self.minibatch.normal() + random.random() + np.random.rand()  # noqa: NPY002
            loss = (self.model(inputs)[0] * scale + torch.rand(())).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            losses.append(loss.item())
        return losses


def test_a_restored_learner_continues_with_the_same_bits(tmp_path: Path) -> None:
    undisturbed = Learner()
    undisturbed.learn(5)
    checkpoint.save(tmp_path, 5, undisturbed.parts())
    expected = undisturbed.learn(7)

    resumed = Learner()
    resumed.learn(2)
    assert checkpoint.restore(checkpoint.load(tmp_path), resumed.parts()) == 5
    assert resumed.learn(7) == expected
    for ours, theirs in zip(
        resumed.model.parameters(), undisturbed.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_the_model_file_is_the_state_dict_that_other_tools_expect(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    path = checkpoint.save(tmp_path, 0, {"model": model, "clock": {"updates": 3}})
    found = load_file(path / "model.safetensors")
    assert set(found) == set(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(found[name], tensor)


def test_state_dicts_keep_the_versions_torch_hides_in_them(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    checkpoint.save(tmp_path, 0, {"model": model})
    state = checkpoint.load(tmp_path).parts["model"]
    assert state._metadata == model.state_dict()._metadata  # type: ignore[attr-defined]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_the_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 12, {"model": torch.nn.Linear(2, 2)})
    assert path.name == "step_000000012"
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=path, check=True
    )
    assert {p.name for p in path.iterdir()} == {*checkpoint.checkpoint_folder.FILES, "SHA256SUMS"}


def test_latest_and_best_point_where_they_say(tmp_path: Path) -> None:
    for step, best in [(1, False), (2, True), (3, False), (4, False), (5, False)]:
        checkpoint.save(tmp_path, step, {"clock": {"step": step}}, best=best)
    assert checkpoint.load(tmp_path).step == 5
    assert checkpoint.load(tmp_path, "best").parts == {"clock": {"step": 2}}
    assert checkpoint.load(tmp_path, "step_000000004").step == 4
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["best", "latest", "step_000000002", "step_000000004", "step_000000005"]


def test_a_step_saved_twice_is_the_second_one(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 3, {"clock": {"kills": 0}}, best=True)
    checkpoint.save(tmp_path, 3, {"clock": {"kills": 1}})
    assert checkpoint.load(tmp_path).parts["clock"] == {"kills": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best", "latest", "step_000000003"]


def test_a_future_that_a_resume_left_behind_is_dropped(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, {"clock": {}}, keep=3)
    checkpoint.save(tmp_path, 2, {"clock": {"again": True}}, keep=3)
    assert checkpoint.load(tmp_path).parts == {"clock": {"again": True}}
    assert not (tmp_path / "step_000000003").exists()


def test_a_mapping_part_is_filled_in_place(tmp_path: Path) -> None:
    statistics = {"returns": [1.0, 2.0], 7: ("a", None)}
    checkpoint.save(tmp_path, 1, {"statistics": copy.deepcopy(statistics)})
    found: dict[Any, Any] = {"stale": 1}
    checkpoint.restore(checkpoint.load(tmp_path), {"statistics": found})
    assert found == statistics


def test_a_part_that_does_not_fit_is_named(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, {"model": torch.nn.Linear(2, 2)})
    loaded = checkpoint.load(tmp_path)
    with pytest.raises(UserError, match=r"part 'model' does not fit: .*size mismatch") as caught:
        checkpoint.restore(loaded, {"model": torch.nn.Linear(3, 2)})
    assert "\n" not in str(caught.value)
    model = torch.nn.Linear(2, 2)
    before = model.weight.clone()
    with pytest.raises(UserError, match="has no part 'optimizer'; it has: model"):
        checkpoint.restore(
            loaded, {"model": model, "optimizer": torch.optim.SGD(model.parameters())}
        )
    assert torch.equal(model.weight, before)


def test_bad_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint in"):
        checkpoint.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="keep must be at least 2"):
        checkpoint.save(tmp_path, 1, {}, keep=1)
    with pytest.raises(UserError, match="step must not be negative"):
        checkpoint.save(tmp_path, -1, {})
    with pytest.raises(TypeError, match=r"'part\.odd' is a builtins\.object"):
        checkpoint.save(tmp_path, 1, {"part": {"odd": object()}})
    assert list(tmp_path.iterdir()) == []
    checkpoint.save(tmp_path, 1, {})
    with pytest.raises(UserError, match=r"unknown checkpoint '\.\./\.\./etc'"):
        checkpoint.load(tmp_path, "../../etc")
    with pytest.raises(UserError, match="no best checkpoint"):
        checkpoint.load(tmp_path, "best")
