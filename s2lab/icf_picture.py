"""The paper's figure of one run, and pictures of what it predicts. Knows no learning."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s2lab.agents.encoders.scores import correlations, policy_purity
from s2lab.icf_scores import judged_states

if TYPE_CHECKING:
    from s2lab.agents.encoders.icf_learner import ICFLearner
    from s2lab.agents.encoders.transitions import ControllableWorld

Array = NDArray[Any]


def slopes(codes: Array, factors: Array) -> Array:  # [K, F]
    """Least-squares slope of each feature on all factors, each in units of its own spread."""
    spread = factors.std(0)
    scaled = (factors - factors.mean(0)) / np.where(spread > 0, spread, 1.0)
    found, *_ = np.linalg.lstsq(scaled, codes - codes.mean(0), rcond=None)
    return np.asarray(found.T)


def draw(learner: "ICFLearner", path: Path) -> None:
    """Heat maps: slopes of features on factors, their correlation, the policy of each feature."""
    from matplotlib.figure import Figure

    world = learner.world
    states = judged_states(world)
    codes, policies = learner.codes(states)
    factors, names = world.factors(states), world.factor_names
    maps: list[tuple[Array, tuple[str, ...], str, float]] = [
        (slopes(codes, factors), names, "slope of feature on factor", -1.0),
        (correlations(codes, factors), names, "their correlation", -1.0),
    ]
    if policies.shape[1]:
        purity = policy_purity(policies, world.blocked(states))
        maps.append((purity, world.action_names, "policy of feature", 0.0))
    height = 1.6 + 0.28 * codes.shape[1]
    figure = Figure(figsize=(4 * len(maps), height), layout="constrained")
    for axes, (values, columns, title, low) in zip(
        figure.subplots(1, len(maps), squeeze=False)[0], maps, strict=True
    ):
        high = max(1.0, float(np.abs(values).max())) if low == 0 else float(np.abs(values).max())
        shown = axes.imshow(
            values, vmin=low * high, vmax=high, cmap="coolwarm" if low else "Blues", aspect="auto"
        )
        axes.set(title=title, xticks=range(len(columns)), yticks=range(len(values)))
        axes.set_xticklabels(columns, rotation=45, ha="right")
        axes.set_ylabel("feature")
        figure.colorbar(shown, ax=axes)
    figure.savefig(path, dpi=80)


def draw_steps(
    rows: list[tuple[str, Array]], titles: list[str], world: "ControllableWorld", path: Path
) -> None:
    """Images in rows, one column a step.

    Args:
        rows: name and images [T, C, H, W] of each row
        titles: one for each column
        world: whose images they are
        path: PNG file
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.4 * len(titles) + 0.6, 1.6 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(titles), squeeze=False)
    for at, (line, (name, images)) in enumerate(zip(grid, rows, strict=True)):
        for axes, image, title in zip(line, images, titles, strict=True):
            axes.imshow(flat(image), vmin=0, vmax=1, cmap="gray")
            axes.set(xticks=[], yticks=[])
            if at == 0:
                axes.set_title(title, fontsize=9)
        line[0].set_ylabel(name)
    figure.savefig(path, dpi=100)


# Grey of minigrid's types, from unseen to agent, in a picture of one-hot cells.
SHADES = np.array([0, 0.1, 0.35, 0.1, 0.6, 0.8, 0.8, 0.8, 0.5, 0.3, 1.0])


def flat(image: Array) -> Array:  # [C, H, W] -> [H, W] or [H, W, 3]
    """One channel: the image's own, or the shade of each cell's likeliest type, x to the right;
    colours [H, W, 3] where squares have them."""
    if len(image) == 1:
        return np.asarray(image[0])
    if len(image) <= 3:
        padded = np.concatenate([image, np.zeros((3 - len(image), *image.shape[1:]))])
        return np.asarray(padded.transpose(1, 2, 0).clip(0, 1))
    return np.asarray(SHADES[image[: len(SHADES)].argmax(0)].T)
