"""The sequence tasks against their definitions, restated by loops, and against closed forms."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from s2lab.envs.sequences.adding import adding
from s2lab.envs.sequences.arithmetic import arithmetic
from s2lab.envs.sequences.balls import RADIUS, SIZE, balls, curtained, next_frames
from s2lab.envs.sequences.copying import copying
from s2lab.envs.sequences.digits import bundled, mnist, pixel_by_pixel, read_idx, resized


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_adding_asks_for_the_sum_of_the_marked() -> None:
    batch = adding(rng(), 64, 20, [2, 4])
    for n in range(64):
        marked = [x for x, mark in batch.inputs[:, n] if mark == 1]
        assert len(marked) in (2, 4)
        assert batch.targets[0, n, 0] == pytest.approx(sum(marked), rel=1e-5)
    assert set(np.unique(batch.inputs[:, :, 1])) == {0, 1}


@pytest.mark.parametrize("addends", [2, 4, 10])
def test_predicting_the_mean_of_adding_costs_n_twelfths(addends: int) -> None:
    batch = adding(rng(), 40_000, 12, [addends])
    assert batch.targets.var() == pytest.approx(addends / 12, rel=0.03)
    assert batch.inputs[:, :, 1].mean(axis=1) == pytest.approx(addends / 12, abs=0.015)


def test_copying_repeats_after_the_signal_and_chance_is_ln_8() -> None:
    batch = copying(rng(), 2000, 50)
    assert batch.inputs.shape == (70, 2000, 10)
    assert batch.scored == 10
    assert np.array_equal(batch.inputs[:10].argmax(2), batch.targets)
    assert (batch.inputs[10:59].argmax(2) == 8).all()
    assert (batch.inputs[59].argmax(1) == 9).all()
    assert (batch.inputs[60:].argmax(2) == 8).all()
    frequency = np.bincount(batch.targets.ravel(), minlength=8) / batch.targets.size
    assert -(frequency * np.log(frequency)).sum() == pytest.approx(np.log(8), abs=0.002)


def test_arithmetic_is_what_python_computes() -> None:
    batch = arithmetic(rng(), 30, 15)
    for n in range(30):
        result = 0.0
        for t, (x, *operation) in enumerate(batch.inputs[:, n].astype(float)):
            result = [result + x, result - x, result * x][int(np.argmax(operation))]
            assert batch.targets[t, n, 0] == pytest.approx(result, abs=1e-5)
            assert round(x, 2) == pytest.approx(x, abs=1e-6)


def test_balls_conserve_energy_stay_inside_and_do_not_overlap() -> None:
    films = balls(rng(), 20, 60, 6)
    step = np.diff(films.positions.astype(float), axis=0)
    assert films.positions.min() > RADIUS - 0.02
    assert films.positions.max() < 1 - RADIUS + 0.02
    gaps = np.linalg.norm(
        films.positions[:, :, :, None] - films.positions[:, :, None], axis=-1
    ) + 10 * np.eye(6)
    assert gaps.min() > 2 * RADIUS - 0.03  # a substep's depth at most
    # Kinetic energy between collisions: most frames are free flight, so the median film keeps it.
    energy = np.median((step**2).sum(axis=(2, 3)), axis=0)
    assert energy == pytest.approx(np.full(20, 6 * 0.05**2), rel=0.15)


def test_two_balls_head_on_exchange_velocities() -> None:
    from s2lab.envs.sequences.balls import _fly

    place = np.array([[[0.3, 0.5], [0.7, 0.5]]])
    velocity = np.array([[[0.05, 0.0], [-0.02, 0.0]]])
    _fly(place, velocity, np.empty((5, 1, 2, 2), np.float32))
    assert velocity.ravel() == pytest.approx([-0.02, 0.0, 0.05, 0.0])


def test_frames_show_discs_and_a_curtain_hides_the_middle() -> None:
    films = balls(rng(), 5, 3, 1)
    share = films.frames.mean()
    assert share == pytest.approx(np.pi * RADIUS**2, rel=0.25)
    hidden = curtained(np.ones((2, SIZE * SIZE), np.float32)).reshape(2, SIZE, SIZE)
    assert (hidden[:, :, 6:10] == 0).all()
    assert hidden.sum() == 2 * SIZE * (SIZE - 4)
    batch = next_frames(films)
    assert np.array_equal(batch.inputs[1], batch.targets[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda g: adding(g, 5, 9, [2]),
        lambda g: copying(g, 5, 9),
        lambda g: arithmetic(g, 5, 9),
        lambda g: next_frames(balls(g, 5, 4, 3)),
    ],
)
def test_the_same_seed_makes_the_same_sequences_and_another_does_not(make) -> None:
    assert np.array_equal(make(rng(1)).inputs, make(rng(1)).inputs)
    assert not np.array_equal(make(rng(1)).inputs, make(rng(2)).inputs)


def test_digits_are_read_row_by_row_at_any_resolution() -> None:
    images = bundled("train")
    assert "not MNIST" in images.name
    batch = pixel_by_pixel(images, np.array([0, 5]), 16)
    assert batch.inputs.shape == (256, 2, 1)
    assert batch.targets.tolist() == [[0, 5]]
    enlarged = batch.inputs[:, 1, 0].reshape(16, 16)
    assert np.array_equal(enlarged[::2, ::2], images.pixels[5])
    assert np.array_equal(resized(images.pixels[:1], 8), images.pixels[:1])


def test_idx_files_are_read_and_damaged_ones_named(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\0\0\x08\x03" + struct.pack(">iii", 2, 3, 4)
    (tmp_path / "a").write_bytes(header + pixels.tobytes())
    (tmp_path / "b.gz").write_bytes(gzip.compress(header + pixels.tobytes()))
    assert np.array_equal(read_idx(tmp_path / "a"), pixels)
    assert np.array_equal(read_idx(tmp_path / "b"), pixels)
    (tmp_path / "c").write_bytes(header + b"xx")
    with pytest.raises(ValueError, match="holds 2 bytes where its header says 24"):
        read_idx(tmp_path / "c")
    with pytest.raises(ValueError, match="is missing; put MNIST's IDX files"):
        mnist(tmp_path, "train")


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"each must be between 1 and length \(5\)"):
        adding(rng(), 3, 5, [2, 9])
    with pytest.raises(ValueError, match="blank is 0"):
        copying(rng(), 3, 0)
    with pytest.raises(ValueError, match="balls is 40"):
        balls(rng(), 1, 2, 40)
