"""Independently controllable features on worlds of squares: twenty seeds, with controls.

Published: Thomas et al. 2017 (arXiv 1703.07718), section 4.1: four features of one square recover
its x and y, in pairs with opposite policies. The authors' code is known to depend on the seed.
Each run is one file in `runs/reproduce/icf/`, with the paper's heat maps beside it.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import durable
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.reproduce.learning_table import shown
from s2lab.reproduce.records import markdown, write_record
from s2lab.stats import wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from s2lab.agents.encoders.icf_learner import ICFLearner
    from s2lab.envs.squares import Squares

WORK = Path("runs/reproduce/icf")
SEEDS = 20
CLEAR = 0.9  # least purity of a policy, and correlation of its feature, that count as found
JUDGED = 2000  # states that are scored where there are too many to score all

PUBLISHED = {"diversity": 0.0, "entropy": 0.0}
# Label -> world and settings.
CONTESTANTS: dict[str, tuple[str, ICFConfig]] = {
    "directed": ("square", ICFConfig()),
    "directed, as published": ("square", ICFConfig(**PUBLISHED, mask_blocked=False)),  # type: ignore[arg-type]  # floats all
    "discrete, as published": (
        "square",
        ICFConfig("discrete", **PUBLISHED, mask_blocked=False),  # type: ignore[arg-type]  # floats all
    ),
    "continuous": ("square", ICFConfig("continuous", features=2)),
    "autoencoder": ("square", ICFConfig(weight=0.0)),
    "beta-VAE": ("square", ICFConfig(weight=0.0, beta=1.0)),
    "two squares, a distractor": ("two-squares", ICFConfig(features=8, updates=6000)),
}


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Train what is missing, write the record, print the table; returns the exit code."""
    if not quick and len(seeds) < SEEDS:
        seeds = range(SEEDS)
    folder = WORK.with_name("icf-quick") if quick else WORK
    folder.mkdir(parents=True, exist_ok=True)
    labels = [label for label in CONTESTANTS if not quick or CONTESTANTS[label][0] == "square"]
    todo = [
        (str(folder), label, seed, quick)
        for label in labels
        for seed in seeds
        if not (folder / f"{name_of(label, seed)}.json").exists()
    ]
    started = time.time()
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for done, line in enumerate(pool.map(run_one, todo), 1):
            print(f"{done}/{len(todo)}  {line}  {time.time() - started:.0f} s", flush=True)
    rows = [
        json.loads((folder / f"{name_of(label, seed)}.json").read_text())
        for label in labels
        for seed in seeds
    ]
    settings = {label: asdict(CONTESTANTS[label][1]) for label in labels}
    name = "icf-quick" if quick else "icf"
    path = write_record(name, {"clear": CLEAR, "contestants": settings}, list(seeds), rows)
    print(f"\n{render(rows)}\n\nrecord: {path}")
    return 0


def name_of(label: str, seed: int) -> str:
    """A run as a file name."""
    return "".join(c if c.isalnum() else "-" for c in label) + f"__s{seed}"


def run_one(job: tuple[str, str, int, bool]) -> str:
    """Train and score one contestant at one seed in this process; returns a line to print."""
    import torch

    from s2lab.agents.encoders.icf_learner import ICFLearner
    from s2lab.envs.squares import WORLDS
    from s2lab.seeds import generator, torch_seed

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    folder, label, seed, quick = job
    world_name, config = CONTESTANTS[label]
    if quick:
        config = replace(config, updates=400)
    world = WORLDS[world_name]
    learner = ICFLearner(world, config, generator(seed, "data"), torch_seed(seed))
    started = time.process_time()
    for _ in range(config.updates):
        terms = learner.update()
    spent = time.process_time() - started
    found = judge(learner, world)
    path = Path(folder) / f"{name_of(label, seed)}.json"
    draw(learner, world, path.with_suffix(".png"))
    result = {"label": label, "seed": seed, "cpu_s": round(spent, 1), "terms": terms, **found}
    durable.replace(path, json.dumps(result).encode())
    return f"{label} seed {seed}: {found['found']} of {found['actions']} actions"


def judge(learner: "ICFLearner", world: "Squares") -> dict[str, Any]:
    """Every score of one trained encoder on the true factors."""
    import numpy as np

    from s2lab.agents.encoders import scores
    from s2lab.seeds import table_seed

    rng = np.random.default_rng(table_seed(0))
    states = world.every() if len(world.factor_names) <= 3 else world.sample(rng, JUDGED)
    codes, policies = learner.codes(states)
    mine, theirs = states[:, : world.controllable], states[:, world.controllable :]
    matched, _ = scores.matched_correlation(codes, mine)
    apart = scores.dci(codes, mine)
    return {
        "actions": len(world.action_names),
        "found": actions_found(codes, states, policies, world),
        "matched_correlation": matched,
        "linear_r2": scores.linear_r2(codes, mine).tolist(),
        "distractor_r2": scores.linear_r2(codes, theirs).tolist(),
        "disentanglement": apart.disentanglement,
        "completeness": apart.completeness,
        "informativeness": apart.informativeness,
        "mutual_information_gap": scores.mutual_information_gap(codes, mine),
    }


def actions_found(
    codes: "NDArray[np.floating]",
    states: "NDArray[np.integer]",
    policies: "NDArray[np.floating]",
    world: "Squares",
) -> int:
    """Actions with a feature of their own: its policy takes the action, its value follows it.

    A feature counts for one action at most: policy purity and the correlation of the feature with
    the factor that the action changes, in the action's direction, are both at least `CLEAR`.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    from s2lab.agents.encoders.scores import correlations, policy_purity

    if not policies.shape[1]:
        return 0
    pure = policy_purity(policies, world.blocked(states)) >= CLEAR  # [K, A]
    follow = correlations(codes, states)  # [K, F]
    good = np.zeros_like(pure)
    for action in range(pure.shape[1]):
        factor, change = world.effect(action)
        along = follow[:, factor] * change if change else np.abs(follow[:, factor])
        good[:, action] = pure[:, action] & (along >= CLEAR)
    rows, columns = linear_sum_assignment(~good)
    return int(good[rows, columns].sum())


def draw(learner: "ICFLearner", world: "Squares", path: Path) -> None:
    """The paper's figure: slopes of factors on features, and the policy of each feature."""
    import numpy as np
    from matplotlib.figure import Figure

    from s2lab.agents.encoders.scores import correlations, policy_purity

    rng = np.random.default_rng(0)
    states = world.every() if len(world.factor_names) <= 3 else world.sample(rng, JUDGED)
    codes, policies = learner.codes(states)
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    slopes = correlations(codes, states)
    pictures = [(left, slopes, world.factor_names, "correlation of feature and factor", -1.0)]
    if policies.shape[1]:
        purity = policy_purity(policies, world.blocked(states))
        pictures.append((right, purity, world.action_names, "policy of each feature", 0.0))
    for axes, values, names, title, low in pictures:
        shown = axes.imshow(values, vmin=low, vmax=1.0, cmap="coolwarm" if low else "Blues")
        axes.set(title=title, xticks=range(len(names)), yticks=range(len(values)))
        axes.set_xticklabels(names, rotation=45, ha="right")
        axes.set_ylabel("feature")
        figure.colorbar(shown, ax=axes)
    figure.savefig(path, dpi=80)


def render(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: seeds on which every action has its feature, then means over seeds."""
    figures = {
        "matched correlation": "matched_correlation",
        "disentanglement": "disentanglement",
        "completeness": "completeness",
        "MIG": "mutual_information_gap",
    }
    header = ["", "all actions found", "actions found", *figures]
    header += ["linear R²", "distractor R²", "CPU s"]
    lines = []
    for label in dict.fromkeys(row["label"] for row in rows):
        mine = [row for row in rows if row["label"] == label]
        full = sum(row["found"] == row["actions"] for row in mine)
        limits = wilson_interval(full, len(mine))
        seeds = f"{full}/{len(mine)} ({limits.low:.2f} to {limits.high:.2f})"
        line = [label, seeds, f"{shown([row['found'] for row in mine], 1)} of {mine[0]['actions']}"]
        line += [shown([row[key] for row in mine], 3) for key in figures.values()]
        for key in ("linear_r2", "distractor_r2"):
            least = [
                min(row[key]) if key == "linear_r2" else max(row[key]) for row in mine if row[key]
            ]
            line.append(shown(least, 3))
        lines.append([*line, shown([row["cpu_s"] for row in mine], 0)])
    return markdown(header, lines)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    return (
        f"{render(record['rows'])}\n\nAn action is found when one feature has a policy that takes "
        f"it with probability {record['config']['clear']} or more and follows its factor with that "
        "correlation; linear R² is of the worst controllable factor, and of the best distractor."
    )
