"""Digits read pixel by pixel: trained at 14 x 14, tested at 16, 19 and 24.

Goyal et al. 2019 (RIMs, arXiv 1909.10893) on MNIST. Real MNIST is read from a folder of its IDX
files, gzipped or not (`--data DIR`); without one, scikit-learn's bundled digits stand in, and the
table says that they are not MNIST. Estimate from timed updates: two hours on two cores in the full
form.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab.errors import UserError
from s2lab.reproduce.sequence_record import render
from s2lab.reproduce.sequence_table import Form, Table, run_table, training_rng

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


def reproduce(
    *,
    quick: bool,
    seeds: Sequence[int],
    data: Path | None = None,
    parallel: int | None = None,
) -> int:
    """Measure the table, on MNIST where its folder is given; returns the exit code.

    Raises:
        UserError: the folder lacks a file, or holds one that is not what its header says.
    """
    try:
        for part in ("train", "test"):
            images(part, data)  # a wrong folder is refused before anything is made
    except ValueError as error:
        raise UserError(f"--data {data}: {error}") from None
    return run_table(Form("digits", quick, data), seeds, parallel)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    return render(record)


def table_for(quick: bool, data: Path | None = None) -> Table:
    """One form of the table; published figures only beside real MNIST."""
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any]) -> SequenceConfig:
        updates, lr = (200, 5e-3) if quick else (4000, 1e-3)
        return SequenceConfig(core, options, loss="classes", updates=updates, lr=lr)

    units = 16 if quick else 50

    rows = PUBLISHED if data else {}
    return Table(
        name="digits",
        contestants={
            "lstm": make("lstm", {"hidden_size": 6 * units}),
            "rims 6/4": make("rims", {"module_size": units}),
        },
        batches=lambda seed, update: batch(images("train", data), seed, update),
        validation=lambda: validation(data),
        measure=lambda model: measure(model, images("test", data), 100 if quick else 10_000),
        published={
            label: {f"accuracy {s}": v / 100 for s, v in zip(SIDES[1:], row, strict=True)}
            for label, row in rows.items()
        },
        constants={"chance": {f"accuracy {side}": 0.1 for side in SIDES}},
        source="Goyal et al. 2019, arXiv 1909.10893" if data else "",
        notes=(f"Images: {images('train', data).name}.",),
    )


@cache
def images(part: str, data: Path | None) -> "Images":
    """MNIST where there is a folder of it, else the bundled digits."""
    from s2lab.envs.sequences.digits import bundled, mnist

    return mnist(data, part) if data else bundled(part)


def batch(part: "Images", seed: int, update: int) -> "Sequences":
    """32 images, drawn anew for every update."""
    from s2lab.envs.sequences.digits import pixel_by_pixel

    chosen = training_rng(seed, update).integers(len(part.labels), size=32)
    return pixel_by_pixel(part, chosen, SIDES[0])


@cache
def validation(data: Path | None) -> "list[Sequences]":
    """In distribution: the training resolution."""
    return tests(images("validate", data), SIDES[0], 200)


def measure(model: "SequenceModel", part: "Images", count: int) -> dict[str, float]:
    """Accuracy per resolution."""
    from s2lab.agents.sequence_model import score

    return {
        f"accuracy {side}": float(score(model, "classes", tests(part, side, count)).accuracy or 0)
        for side in SIDES
    }


def tests(found: "Images", side: int, count: int) -> "list[Sequences]":
    """The first `count` images of a part in batches of at most 250."""
    import numpy as np

    from s2lab.envs.sequences.digits import pixel_by_pixel

    rows = np.arange(min(count, len(found.labels)))
    parts = np.array_split(rows, -(-len(rows) // 250))
    return [pixel_by_pixel(found, chosen, side) for chosen in parts]
