"""Given a state and actions: the features and the image that follow. Knows no search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s2lab.errors import UserError, unknown
from s2lab.seeds import table_seed

if TYPE_CHECKING:
    from s2lab.agents.encoders.feature_effects import FeatureEffects
    from s2lab.agents.encoders.icf_learner import ICFLearner

Array = NDArray[Any]
FITTED = 4000  # states behind the effects
LENGTH = 4  # actions that are drawn where none are named


@dataclass(frozen=True)
class Effects:
    """A trained network and what actions do to its features."""

    learner: "ICFLearner"
    model: "FeatureEffects"

    def encode(self, states: Array) -> Array:  # [N, ...] -> [N, K]
        """Features of states."""
        return np.asarray(self.learner.codes(states)[0], float)

    def decode(self, features: Array) -> Array:  # [N, K] -> [N, C, H, W]
        """Images of features."""
        import torch

        with torch.no_grad():
            found: Array = self.learner.model.decode(torch.from_numpy(features).float()).numpy()
        return found


def open_effects(path: Path) -> Effects:
    """The network of a run of `train-icf`, with effects fitted on states of their own.

    Raises:
        UserError: it is no such run, or has no good checkpoint.
    """
    from s2lab.icf import load_icf

    return effects_of(load_icf(path))


def effects_of(learner: "ICFLearner") -> Effects:
    """Fit what actions do to a network's features; the states have a seed of their own."""
    from s2lab.agents.encoders.feature_effects import fit_effects

    rng, world = np.random.default_rng(table_seed(1)), learner.world
    states = world.every()
    states = world.sample(rng, FITTED) if states is None else states
    after = world.successors(states, rng)
    codes = np.asarray(learner.codes(states)[0], float)
    later = np.asarray(learner.codes(after.reshape(-1, after.shape[-1]))[0], float)
    model = fit_effects(codes, later.reshape(*after.shape[:2], -1), rng)
    return Effects(learner, model)


def effect_accuracy(effects: Effects, trials: int) -> dict[str, float]:
    """How often the prediction is nearest to what came of the action, of everything that could.

    `right` is over all actions and counts one whose outcome looks like another's as right;
    `right_unblocked` is over those that change something. `features_r2` is of predicted changes,
    `pixels` the share of pixels on the right side of 1/2 in the decoded image.
    """
    world, rng = effects.learner.world, np.random.default_rng(table_seed(2))
    states = world.sample(rng, trials)
    after = world.successors(states, rng)
    count, actions = after.shape[:2]
    flat = after.reshape(count * actions, -1)
    truth = effects.encode(flat).reshape(count, actions, -1)
    before = effects.encode(states)
    predicted = effects.model.predict(before)  # [N, A, K]
    outcomes = np.concatenate([truth, before[:, None]], axis=1)  # [N, A + 1, K]
    away = np.square(predicted[:, :, None] - outcomes[:, None]).sum(-1)  # [N, A, A + 1]
    own = np.take_along_axis(away, np.arange(actions)[None, :, None], axis=2)[..., 0]
    right = own <= away.min(-1) + 1e-9
    changes, guessed = truth - before[:, None], predicted - before[:, None]
    total = np.square(changes - changes.mean((0, 1))).sum()
    images = world.images(flat)
    decoded = effects.decode(predicted.reshape(count * actions, -1))
    return {
        "right": float(right.mean()),
        "right_unblocked": float(right[~world.blocked(states)].mean()),
        "features_r2": float(1 - np.square(changes - guessed).sum() / max(total, 1e-12)),
        "pixels": float(((decoded > 0.5) == (images > 0.5)).mean()),
    }


def show_effect(
    effects: Effects, actions: Sequence[str], state: Mapping[str, str], seed: int, picture: Path
) -> dict[str, Any]:
    """One sequence of actions, true and predicted, as numbers and as a picture.

    Raises:
        UserError: an action or a factor that the world does not have.
    """
    from s2lab.icf_picture import draw_steps

    world, rng = effects.learner.world, np.random.default_rng(seed)
    chosen = numbered(effects, actions) if actions else drawn_actions(effects, rng)
    states = [given_state(effects, state, rng)]
    predicted = [effects.encode(states[0])]
    for action in chosen:
        states.append(world.successors(states[-1], rng)[:, action])
        predicted.append(effects.model.predict(predicted[-1])[:, action])
    seen = np.concatenate(states)
    names = [world.action_names[action] for action in chosen]
    guessed = np.concatenate(predicted)
    images = [("true", world.images(seen)), ("predicted", effects.decode(guessed))]
    draw_steps(images, ["start", *names], world, picture)
    return {
        "state": told(effects, states[0]),
        "actions": names,
        "true_features": effects.encode(seen)[1:].tolist(),
        "predicted_features": guessed[1:].tolist(),
    }


def numbered(effects: Effects, names: Sequence[str]) -> list[int]:
    """Actions by name.

    Raises:
        UserError: there is none of that name.
    """
    known = effects.learner.world.action_names
    for name in names:
        if name not in known:
            raise unknown("action", name, known, f"this world has {', '.join(known)}")
    return [known.index(name) for name in names]


def drawn_actions(effects: Effects, rng: np.random.Generator) -> list[int]:
    """A few actions."""
    found: list[int] = rng.integers(0, len(effects.learner.world.action_names), LENGTH).tolist()
    return found


def given_state(effects: Effects, wanted: Mapping[str, str], rng: np.random.Generator) -> Array:
    """A drawn state [1, ...] with the wanted factors in place of its own.

    Raises:
        UserError: factors of a world that takes none, unknown ones or ones out of range.
    """
    from s2lab.envs.squares import Squares

    world = effects.learner.world
    state = world.sample(rng, 1)
    if wanted and not isinstance(world, Squares):
        raise UserError("factors of a state can be named in worlds of squares; give --seed here")
    for name, text in wanted.items():
        if name not in world.factor_names:
            raise unknown("factor", name, world.factor_names, ", ".join(world.factor_names))
        high = 2 if name == "bright" else world.places  # type: ignore[attr-defined]  # Squares
        if not text.isdigit() or int(text) >= high:
            raise UserError(f"factor {name} must be 0 to {high - 1}, got {text!r}")
        state[0, world.factor_names.index(name)] = int(text)
    return state


def told(effects: Effects, state: Array) -> dict[str, float]:
    """The factors of one state [1, ...]."""
    world = effects.learner.world
    return dict(zip(world.factor_names, world.factors(state)[0].tolist(), strict=True))
