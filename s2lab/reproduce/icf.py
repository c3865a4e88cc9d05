"""Independently controllable features: twenty seeds, with controls, and what PPO makes of them.

Published: Thomas et al. 2017 (arXiv 1703.07718), section 4.1: four features of one square recover
its x and y, in pairs with opposite policies. The authors' code is known to depend on the seed.
Each run is one file in `runs/reproduce/icf/`, with the paper's heat maps beside it; the record is
written anew after every run, so that stopping loses nothing. `icf_doorkey.py` is the
part of the table that plays.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from s2lab import durable
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.icf_scores import CLEAR
from s2lab.icf_settings import icf_config
from s2lab.reproduce.icf_figure import figure
from s2lab.reproduce.learning_table import shown
from s2lab.reproduce.records import markdown, write_record
from s2lab.stats import wilson_interval

WORK = Path("runs/reproduce/icf")
SEEDS = 20
QUICK_UPDATES = 300
QUICK = ("directed", "directed, as published", "autoencoder", "no selectivity")

AUTOENCODER = {"weight": 0.0, "reconstruction": 1.0, "reconstruction_end": 1.0}
PUBLISHED = {"own_action": 0.0, "stateless": 0.0, "mask_blocked": False}


def contestants() -> dict[str, tuple[str, ICFConfig]]:
    """Label -> world and settings, in the order in which they are measured."""
    changes: dict[str, tuple[str, Mapping[str, Any]]] = {
        "directed": ("square", {}),
        "directed, as published": ("square", PUBLISHED),
        "autoencoder": ("square", AUTOENCODER),
        "beta-VAE": ("square", {**AUTOENCODER, "beta": 0.01}),
        "random actions": ("square", {"policies": "uniform"}),
        "no selectivity": ("square", {"selectivity": 0.0}),
        "two squares, a distractor": ("two-squares", {}),
        "continuous": ("square", CONTINUOUS),
        "DoorKey": ("doorkey-8x8", {}),
        "DoorKey, autoencoder": ("doorkey-8x8", AUTOENCODER),
        "DoorKey, random encoder": ("doorkey-8x8", {**AUTOENCODER, "updates": 1, "lr": 1e-9}),
        "discrete": ("square", {"objective": "discrete"}),
        "discrete, as published": ("square", {"objective": "discrete", **PUBLISHED}),
        "directed, no action of its own": ("square", {"own_action": 0.0}),
        "directed, policies of the state": ("square", {"stateless": 0.0}),
        "directed, blocked moves kept": ("square", {"mask_blocked": False}),
        "directed, separate policies": ("square", {"separate_policies": True}),
        "directed, two actions drawn": ("square", {"sampled_actions": 2}),
        "brightness toggled": ("toggle-square", {}),
    }
    return {label: (world, icf_config(world, more)) for label, (world, more) in changes.items()}


CONTINUOUS: Mapping[str, Any] = {
    "objective": "continuous",
    "features": 2,
    "weight": 1.0,
    "updates": 1200,
}


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Train what is missing, write the records, print the tables; returns the exit code."""
    if not quick and len(seeds) < SEEDS:
        seeds = range(SEEDS)
    name = "icf-quick" if quick else "icf"
    folder = WORK.with_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    every = contestants()
    labels = [label for label in every if not quick or label in QUICK]
    jobs = [(str(folder), label, seed, quick) for label in labels for seed in seeds]
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    started = time.time()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for done, row in enumerate(pool.map(run_one, jobs), 1):
            collect(jobs, name, list(seeds))
            spent = time.time() - started
            print(
                f"{done}/{len(jobs)}  {row['label']} seed {row['seed']}  {spent:.0f} s, "
                f"about {spent / done * (len(jobs) - done):.0f} s left",
                file=sys.stderr,
                flush=True,
            )
    rows = collect(jobs, name, list(seeds))
    print(f"\n{render(rows, len(seeds))}\n\nrecord: runs/records/{name}.json")
    if quick:
        return 0
    from s2lab.reproduce.icf_doorkey import play

    return play()


def collect(
    jobs: Sequence[tuple[str, str, int, bool]], name: str, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Write the record of every job that is done, and the figure; returns its rows."""
    rows = [row for job in jobs if (row := known_result(job)) is not None]
    settings = {label: asdict(config) for label, (_, config) in contestants().items()}
    used = {row["label"]: settings[row["label"]] for row in rows}
    path = write_record(name, {"clear": CLEAR, "contestants": used}, seeds, rows)
    figure(rows, path.with_suffix(".svg"))
    return rows


def settings_of(job: tuple[str, str, int, bool]) -> tuple[str, ICFConfig]:
    """World and settings of a job."""
    _, label, _, quick = job
    world, config = contestants()[label]
    if quick:
        config = replace(config, updates=min(QUICK_UPDATES, config.updates))
    return world, config


def known_result(job: tuple[str, str, int, bool]) -> dict[str, Any] | None:
    """The result of an earlier sitting with the same settings.

    One of settings that have become more since counts where the new ones are the defaults.
    """
    folder, label, seed, _ = job
    path = Path(folder) / f"{name_of(label, seed)}.json"
    if not path.exists():
        return None
    known: dict[str, Any] = json.loads(path.read_text())
    world, config = settings_of(job)
    if {**asdict(ICFConfig()), **known.pop("settings")} != {"world": world, **asdict(config)}:
        return None
    return known


def name_of(label: str, seed: int) -> str:
    """A run as a file name."""
    return "".join(c if c.isalnum() else "-" for c in label) + f"__s{seed}"


def run_one(job: tuple[str, str, int, bool]) -> dict[str, Any]:
    """The result of one contestant at one seed: read, or trained and scored in this process."""
    if (known := known_result(job)) is not None:
        return known
    folder, label, seed, _ = job
    world_name, config = settings_of(job)
    import torch

    from s2lab.icf import make_learner
    from s2lab.icf_picture import draw
    from s2lab.icf_scores import judge
    from s2lab.icf_settings import ICFRunConfig

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    learner = make_learner(ICFRunConfig(world_name, seed, config.updates, icf=config))
    started = time.process_time()
    for _ in range(config.updates):
        terms = learner.update()
    spent = time.process_time() - started
    path = Path(folder) / f"{name_of(label, seed)}.json"
    settings = {"world": world_name, **asdict(config)}
    ends = {name: float(term) for name, term in terms.items()}
    row = {"label": label, "seed": seed, "cpu_s": round(spent, 1), "terms": ends, **judge(learner)}
    draw(learner, path.with_suffix(".png"))
    durable.replace(path, json.dumps({**row, "settings": settings}).encode())
    return row


def render(rows: Sequence[Mapping[str, Any]], wanted: int) -> str:
    """Markdown: seeds on which every action has its feature, then means over seeds."""
    figures = {
        "matched correlation": "matched_correlation",
        "disentanglement": "disentanglement",
        "completeness": "completeness",
        "MIG": "mutual_information_gap",
    }
    header = ["", "all actions found", "actions found", "followed", *figures]
    header += ["worst linear R²", "best distractor R²", "CPU s"]
    lines = []
    for label in dict.fromkeys(row["label"] for row in rows):
        mine = [row for row in rows if row["label"] == label]
        name = label if len(mine) >= wanted else f"{label} ({len(mine)}/{wanted} seeds)"
        line = [name, *_found(mine)]
        line += [shown([row[key] for row in mine], 3) for key in figures.values()]
        line.append(shown([min(row["linear_r2"]) for row in mine], 3))
        line.append(shown([max(row["distractor_r2"], default=None) for row in mine], 3))
        lines.append([*line, shown([row["cpu_s"] for row in mine], 1)])
    return markdown(header, lines)


def _found(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Seeds that found all, and means; empty where a world's actions have no factor each."""
    cells = ["", ""]
    if "found" in rows[0]:
        full = sum(row["found"] == row["actions"] for row in rows)
        limits = wilson_interval(full, len(rows))
        found = shown([row["found"] for row in rows], 1)
        cells = [
            f"{full}/{len(rows)} ({limits.low:.2f} to {limits.high:.2f})",
            f"{found} of {rows[0]['actions']}",
        ]
    if "distinct" in rows[0]:
        cells[1] += f"; {shown([row['distinct'] for row in rows], 1)} told apart"
    return [*cells, shown([row.get("followed") for row in rows], 1)]


def by_factor(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: linear R² of each factor from the features, where actions have no factor each."""
    gridworlds = [row for row in rows if "found" not in row]
    if not gridworlds:
        return ""
    factors = gridworlds[0]["factors"]
    lines = []
    for label in dict.fromkeys(row["label"] for row in gridworlds):
        scores = [row["linear_r2"] for row in gridworlds if row["label"] == label]
        lines.append([label, *(shown(list(column), 2) for column in zip(*scores, strict=True))])
    return "\n\nLinear R² of each factor:\n\n" + markdown(["", *factors], lines)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    rows = record["rows"]
    return (
        f"{render(rows, len(record['seeds']))}{by_factor(rows)}\n\n"
        "An action is found when one feature has a policy that "
        f"takes it with probability {record['config']['clear']} or more and "
        "follows its factor with that correlation; followed, when the policies are not asked. "
        "Told apart: exp of the mutual information of attribute and action. Means with 95 % "
        "intervals over seeds."
    )
