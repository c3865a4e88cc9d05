"""Digits read pixel by pixel: trained at 14 x 14, tested at 16, 19 and 24.

Goyal et al. 2019 (RIMs, arXiv 1909.10893) on MNIST. Real MNIST is read from the folder that the
environment variable S2LAB_MNIST names (its IDX files, gzipped or not); without it, scikit-learn's
bundled digits stand in, and the table says that they are not MNIST.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab.reproduce.sequence_table import Table, render, run_table, training_rng

if TYPE_CHECKING:
    from s2lab.agents.sequence_model import SequenceModel
    from s2lab.envs.sequences import Sequences
    from s2lab.envs.sequences.digits import Images

SIDES = (14, 16, 19, 24)
PUBLISHED = {
    "rims 6/4": (90.0, 73.4, 38.1),
    "lstm": (86.8, 42.3, 25.2),
    "rmc": (89.6, 54.2, 27.8),
    "transformer": (91.2, 51.6, 22.9),
}


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; returns the exit code."""
    return run_table("digits", quick=quick, seeds=seeds)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    return render(record)


def table_for(quick: bool) -> Table:
    """One form of the table; published figures only beside real MNIST."""
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any]) -> SequenceConfig:
        updates = 60 if quick else 4000
        return SequenceConfig(
            core, options, loss="classes", updates=updates, lr=1e-3, validate_every=20
        )

    real = mnist_folder() is not None
    rows = PUBLISHED if real else {}
    return Table(
        name="digits",
        contestants={
            "lstm": make("lstm", {"hidden_size": 300}),
            "rims 6/4": make("rims", {"module_size": 50}),
        },
        batches=lambda seed, update: batch(seed, update, 32),
        validation=validation,
        measure=lambda model: measure(model, 100 if quick else 10_000),
        published={
            label: {f"accuracy {s}": v / 100 for s, v in zip(SIDES[1:], row, strict=True)}
            for label, row in rows.items()
        },
        constants={"chance": {f"accuracy {side}": 0.1 for side in SIDES}},
        source="Goyal et al. 2019, arXiv 1909.10893" if real else "",
        notes=(f"Images: {images('train').name}.",),
    )


def mnist_folder() -> Path | None:
    """Where MNIST lies, if anywhere."""
    named = os.environ.get("S2LAB_MNIST")
    return Path(named) if named else None


@cache
def images(part: str) -> "Images":
    """MNIST where there is one, else the bundled digits."""
    from s2lab.envs.sequences.digits import bundled, mnist

    folder = mnist_folder()
    return mnist(folder, part) if folder else bundled(part)


def batch(seed: int, update: int, rows: int) -> "Sequences":
    """Images of the training part, drawn anew for every update."""
    from s2lab.envs.sequences.digits import pixel_by_pixel

    part = images("train")
    chosen = training_rng(seed, update).integers(len(part.labels), size=rows)
    return pixel_by_pixel(part, chosen, SIDES[0])


@cache
def validation() -> "list[Sequences]":
    """In distribution: the training resolution."""
    return tests("validate", SIDES[0], 200)


def measure(model: "SequenceModel", count: int) -> dict[str, float]:
    """Accuracy per resolution."""
    from s2lab.agents.sequence_model import score

    return {
        f"accuracy {side}": float(score(model, "classes", tests("test", side, count)).accuracy or 0)
        for side in SIDES
    }


def tests(part: str, side: int, count: int) -> "list[Sequences]":
    """The first `count` images of a part in batches of at most 250."""
    import numpy as np

    from s2lab.envs.sequences.digits import pixel_by_pixel

    found = images(part)
    rows = np.arange(min(count, len(found.labels)))
    parts = np.array_split(rows, -(-len(rows) // 250))
    return [pixel_by_pixel(found, chosen, side) for chosen in parts]
