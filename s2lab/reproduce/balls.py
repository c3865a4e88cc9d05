"""Bouncing balls: 10 frames seen, 35 rolled out; trained on 4, tested on 6 to 8 and a curtain.

After Goyal et al. 2019 and 2020; the films are our own (elastic discs, `envs/sequences/balls.py`),
so no published figure stands beside. The curtain hides the middle of the frames that are seen.
Estimate from timed updates: forty minutes on two cores in the full form; with --quick nobody learns
more than where balls tend to be.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from s2lab.reproduce.sequence_record import render
from s2lab.reproduce.sequence_table import (
    Form,
    Table,
    run_table,
    test_rng,
    training_rng,
    validation_rng,
)

if TYPE_CHECKING:
    from torch import Tensor

    from s2lab.agents.sequence_model import SequenceModel
    from s2lab.envs.sequences import Sequences
    from s2lab.envs.sequences.balls import Balls

SEEN, ROLLED = 10, 35
MODULES = {"module_count": 6, "module_size": 32, "active_count": 4}


def reproduce(*, quick: bool, seeds: Sequence[int], parallel: int | None = None) -> int:
    """Measure the table; returns the exit code."""
    return run_table(Form("balls", quick), seeds, parallel)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown, without the error of the place at the first frame."""
    shown = [name for name in record["rows"][0]["columns"] if not name.startswith("place 1,")]
    return render(record, shown)


def table_for(quick: bool) -> Table:
    """One form of the table."""
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any] | None = None) -> SequenceConfig:
        updates = 150 if quick else 5000
        return SequenceConfig(
            core,
            options or {},
            loss="pixels",
            updates=updates,
            lr=2e-3,
            validate_every=50,
            output_bias=True,
        )

    return Table(
        name="balls",
        contestants={
            "lstm": make("lstm"),
            "rims": make("rims", MODULES),
            "workspace": make("workspace", MODULES),
            "scoff": make("scoff", MODULES),
        },
        batches=lambda seed, update: batch(seed, update, 32),
        validation=validation,
        measure=lambda model: measure(model, 32 if quick else 500),
        constants={"share of pixels on": constant(32 if quick else 500)},
        shift=[
            f"pixels, {name}" for name in ("4 balls", "6 balls", "7 balls", "8 balls", "curtain")
        ],
        notes=(
            "pixels: binary cross-entropy per pixel over 35 rolled-out frames, nats. place: mean "
            "distance of a ball from the nearest pixel predicted on, in boxes, at the first "
            "and the last rolled-out frame (1 where no pixel is on).",
        ),
    )


@cache
def constant(count: int) -> dict[str, float]:
    """Pixel error of whoever always predicts the share of pixels that are on in training."""
    import numpy as np

    from s2lab.envs.sequences.balls import balls

    guess = float(validation()[0].targets.mean())
    columns = {}
    for number in (4, 6, 7, 8):
        films = balls(test_rng(number), count, SEEN + ROLLED, number)
        on = float(films.frames[SEEN:].mean())
        loss = -(on * np.log(guess) + (1 - on) * np.log(1 - guess))
        columns[f"pixels, {number} balls"] = float(loss)
    return columns | {"pixels, curtain": columns["pixels, 4 balls"]}


def batch(seed: int, update: int, rows: int) -> "Sequences":
    """Next-frame prediction on films of 4 balls."""
    from s2lab.envs.sequences.balls import balls, next_frames

    return next_frames(balls(training_rng(seed, update), rows, 30, 4))


@cache
def validation() -> "list[Sequences]":
    """In distribution; the same for all seeds."""
    from s2lab.envs.sequences.balls import balls, next_frames

    return [next_frames(balls(validation_rng(), 64, 30, 4))]


def measure(model: "SequenceModel", count: int) -> dict[str, float]:
    """Errors of the roll-out per number of balls, and behind a curtain."""
    from s2lab.envs.sequences.balls import balls

    columns: dict[str, float] = {}
    for number in (4, 6, 7, 8):
        films = balls(test_rng(number), count, SEEN + ROLLED, number)
        columns |= errors(model, films, f"{number} balls", hidden=False)
        if number == 4:
            columns |= errors(model, films, "curtain", hidden=True)
    return columns


def errors(model: "SequenceModel", films: "Balls", name: str, hidden: bool) -> dict[str, float]:
    """Pixel error over all rolled-out frames, place error at the first and the last."""
    import torch

    from s2lab.envs.sequences.balls import curtained

    seen = torch.from_numpy(curtained(films.frames[:SEEN]) if hidden else films.frames[:SEEN])
    logits = roll_out(model, seen)  # [35, N, pixels]
    truth = torch.from_numpy(films.frames[SEEN:])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth)
    centres = torch.from_numpy(films.positions[SEEN:])
    return {
        f"pixels, {name}": loss.item(),
        f"place 1, {name}": place_error(logits[0], centres[0]),
        f"place 35, {name}": place_error(logits[-1], centres[-1]),
    }


def roll_out(model: "SequenceModel", seen: "Tensor") -> "Tensor":
    """Read `seen` [10, N, pixels], then feed the model its own frames: logits [35, N, pixels]."""
    import torch

    core, rows = model.core, seen.shape[1]
    frames = []
    with torch.no_grad():
        reset = torch.zeros(SEEN, rows, dtype=torch.bool)
        hidden, state = core(seen, core.initial_state(rows), reset)
        frames.append(model.head(hidden[-1]))
        while len(frames) < ROLLED:
            shown = (frames[-1] > 0).to(seen.dtype).unsqueeze(0)  # what it believes most likely
            hidden, state = core(shown, state, reset[:1])
            frames.append(model.head(hidden[0]))
    return torch.stack(frames)


def place_error(logits: "Tensor", centres: "Tensor") -> float:
    """logits [N, pixels], centres [N, balls, 2] -> mean distance to the nearest pixel on."""
    import torch

    from s2lab.envs.sequences.balls import SIZE

    middle = (torch.arange(SIZE) + 0.5) / SIZE
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    pixels = torch.stack([x.flatten(), y.flatten()], dim=1)  # [pixels, 2]
    away = torch.cdist(centres, pixels.expand(len(centres), -1, -1))  # [N, balls, pixels]
    away = torch.where((logits > 0).unsqueeze(1), away, 1.0)
    return away.amin(dim=2).mean().item()
