"""`train-icf`, `predict-effect`, `recover-cause`, `name-variables`: controllable features."""

import sys
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from s2lab.commands.options import RunOptions, parse_value
from s2lab.commands.registry import command, print_json
from s2lab.commands.training import work_on
from s2lab.config import TrackMode, assignments

Json = Annotated[bool, arg(name="json")]


@command("train-icf")
def train_icf(
    world: Positional[str],
    /,
    *,
    seeds: tuple[int, ...] = (0,),
    set: Annotated[tuple[str, ...], arg(name="set")] = (),
    device: str = "auto",
    track: TrackMode = "offline",
    runs: Path = Path("runs"),
    parallel: int | None = None,
    quiet: bool = False,
    json: Json = False,
) -> int:
    """Learn independently controllable features of a world, score them, draw them.

    Args:
        world: square, two-squares, toggle-square, doorkey-5x5 or doorkey-8x8 (s2lab list worlds)
        seeds: run seeds, one run each
        set: settings over the world's own, as name=value: objective=discrete, directed or
            continuous, features, hidden, filters, policies, separate_policies, stateless,
            own_action, weight, warm_up, reconstruction, reconstruction_end, selectivity, entropy,
            mask_blocked, sampled_actions, beta, attributes, noise, sigma, updates, batch, lr
        device: auto, cpu or cuda
        track: Weights & Biases off, offline (inside the run folder) or online
        runs: folder that receives the run folders
        parallel: runs at a time on this machine (default: one per CPU core)
        quiet: no progress
        json: print the runs and their scores as JSON
    """
    from s2lab.icf import create_icf
    from s2lab.icf_settings import ICFRunConfig, icf_config

    words = assignments("--set", set)
    config = icf_config(world, {name: parse_value(text) for name, text in words.items()})
    options = RunOptions(
        seeds, device=device, track=track, runs=runs, parallel=parallel, quiet=quiet, json=json
    )
    folders = [
        create_icf(
            ICFRunConfig(world, each["seed"], config.updates, device=each["device"], icf=config),
            runs,
        )
        for each in options.settings(world)
    ]
    code = work_on(folders, options)
    if not json:
        for folder in folders:
            if found := folder.summary.get("features"):
                print(f"seed {folder.summary['seed']}: {in_words(found)}")
    return code


def in_words(found: dict[str, Any]) -> str:
    """The scores of a run in one line."""
    words = f"worst linear R2 {min(found['linear_r2']):.3f}, "
    words += f"matched correlation {found['matched_correlation']:.3f}"
    if "found" in found:
        words = f"{found['found']} of {found['actions']} actions found, {words}"
    return words


@command("predict-effect")
def predict_effect(
    run: Positional[Path],
    /,
    *,
    actions: tuple[str, ...] = (),
    state: tuple[str, ...] = (),
    seed: int = 0,
    trials: int = 200,
    picture: Path | None = None,
    json: Json = False,
) -> None:
    """Say what actions do to the features, and how often such predictions are right.

    Args:
        run: run folder of train-icf
        actions: names of the actions, in their order, such as right0 right0 down0; none for a draw
        state: factors of the state to begin with, as name=value, such as x0=3 y0=7; else a draw
        seed: of what is drawn
        trials: transitions behind the accuracies
        picture: PNG file for the true and the predicted images (default: in the run folder)
        json: print everything as JSON
    """
    from s2lab.icf_effects import effect_accuracy, open_effects, show_effect

    effects = open_effects(run)
    where = run / "effect.png" if picture is None else picture
    shown = show_effect(effects, actions, assignments("--state", state), seed, where)
    found = {**shown, "accuracy": effect_accuracy(effects, trials)}
    if json:
        print_json(found)
        return
    print(f"from {found['state']}")
    for action, truth, predicted in zip(
        found["actions"], found["true_features"], found["predicted_features"], strict=True
    ):
        print(f"{action:10} predicted {_row(predicted)}\n{'':10} true      {_row(truth)}")
    print(f"picture: {where}")
    for name, value in found["accuracy"].items():
        print(f"{name}: {value:.3f}")


@command("recover-cause")
def recover_cause(
    run: Positional[Path],
    /,
    *,
    actions: tuple[str, ...] = (),
    state: tuple[str, ...] = (),
    target: tuple[str, ...] = (),
    seed: int = 0,
    trials: int = 100,
    picture: Path | None = None,
    json: Json = False,
) -> None:
    """Find actions that lead from one state to another, and how often they do.

    Args:
        run: run folder of train-icf
        actions: what truly happened between the two states; none for a draw
        state: factors of the first state, as name=value; else a draw
        target: factors of the second state, as name=value, in place of actions
        seed: of what is drawn
        trials: pairs of states behind the accuracies
        picture: PNG file for the way that was found (default: in the run folder)
        json: print everything as JSON
    """
    from s2lab.icf_causes import cause_accuracy, show_cause
    from s2lab.icf_effects import open_effects

    effects = open_effects(run)
    where = run / "cause.png" if picture is None else picture
    ends = assignments("--target", target)
    shown = show_cause(effects, actions, assignments("--state", state), ends, seed, where)
    found = {**shown, "accuracy": cause_accuracy(effects, trials)}
    if json:
        print_json(found)
        return
    print(f"from {found['state']}\nto   {found['target']}")
    if found["happened"]:
        print(f"happened:  {' '.join(found['happened'])}")
    print(f"recovered: {' '.join(found['recovered']) or '(nothing)'}; reaches: {found['reaches']}")
    print(f"picture: {where}")
    for name, value in found["accuracy"].items():
        print(f"{name}: {value:.3f}")


@command("name-variables")
def name_variables(
    run: Positional[Path],
    /,
    *,
    out: Path,
    steps: int = 2000,
    bins: int = 0,
    seed: int = 0,
) -> None:
    """Write a table of named features, a row a step of random play, for `s2lab discover`.

    Args:
        run: run folder of train-icf
        out: CSV file; its column intervention_targets names the features that the step acted on
        steps: rows
        bins: values per feature, 0 to bins - 1; 0 for real numbers
        seed: of the play
    """
    from s2lab.icf_table import write_table

    names = write_table(run, out, steps=steps, bins=bins, seed=seed)
    print(f"{out}: {steps} steps of {', '.join(names)}", file=sys.stderr)


def _row(values: list[float]) -> str:
    return " ".join(f"{value:6.3f}" for value in values)
