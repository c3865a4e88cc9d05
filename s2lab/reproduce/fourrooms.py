"""The FourRooms table: success on unseen layouts, cores with and without modules, equal tuning.

Published: Goyal et al. 2021 (shared global workspace, arXiv 2103.01197), from the authors' slides;
the environment behind those figures is defined nowhere. Ours is MiniGrid-FourRooms-v0 (19 x 19,
random gaps, agent and goal, a view of 7 x 7, 100 steps) with the actions left, right and forward;
a harder variant has 25 x 25 cells and 173 steps, as many for its floor. The mission, always the
same sentence, is left out by our agents.

Two stages, each resumable: `SEARCH` options for everybody at `SEARCH_STEPS`, chosen by training
success; then five seeds of every row. Required rows come first, those that wait for time last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.ppo_config import PPOConfig
from s2lab.config import BaselineConfig, TrainConfig
from s2lab.presets import PRESETS
from s2lab.reproduce.agent_runs import Contest, Settings
from s2lab.reproduce.equal_cores import some
from s2lab.reproduce.failures import failures
from s2lab.reproduce.fourrooms_table import LARGE, WORLD, draw, table
from s2lab.reproduce.kept_runs import Part, kept, measure, record_path
from s2lab.reproduce.records import read_record
from s2lab.reproduce.search import choose

FEATURES, WIDE_FEATURES = 64, 144
CORES = some("none", "lstm", "gru", "rims", "workspace")
EXTRA = some("rmc", "scoff")
EVERY = {**CORES, **EXTRA}
# Six settings for everybody: learning rate, and how the floor enters the features. Screened with an
# LSTM, one seed, success in training at 1 M frames of a schedule for 2 M: .63 as the encoder is by
# default, .78 with a bare floor, .67 without the mission, .90 with both.
SEARCH: tuple[Mapping[str, Any], ...] = tuple(
    {"lr": lr, "bare_floor": bare} for bare in (False, True) for lr in (1e-3, 2e-3, 4e-3)
)
SEARCH_STEPS = 1_000_000
BUDGETS = (2_000_000, 5_000_000)
LATER = 10_000_000
QUICK_STEPS, QUICK_OPTION = 100_000, 4
QUICK_CORES = ("none", "lstm", "rims")

# SB3's PPO with enough worlds for its speed: its zoo's eight worlds and batches of 64 take four to
# five times as long for a frame. Six settings are tried for it as well.
SB3 = PPOConfig(num_envs=64, rollout_steps=128, minibatches=16, epochs=4, lr_end=0.1, lr=1e-3)
SB3_SEARCH: tuple[Mapping[str, Any], ...] = tuple(
    {"lr": lr, "entropy_coef": bonus} for bonus in (0.0, 0.01) for lr in (3e-4, 1e-3, 3e-3)
)
NETWORKS = {"sb3 ppo": "default", "sb3 ppo with our encoder": "same"}
# sb3-contrib's recurrent PPO is some twenty times slower: this budget, and a tenth of the search's.
RECURRENT = "sb3 recurrent ppo"
RECURRENT_STEPS, RECURRENT_SEARCH_STEPS = 500_000, 100_000


def reproduce(
    *,
    quick: bool,
    seeds: Sequence[int],
    only: Sequence[str] = (),
    parallel: int | None = None,
) -> int:
    """Search, train, judge; returns the exit code, 130 when interrupted."""
    part = Part(seeds, only, parallel)
    name = "fourrooms-quick" if quick else "fourrooms"
    everybody = QUICK_CORES if quick else (*EVERY, *NETWORKS, RECURRENT)
    untuned = rows(dict.fromkeys(everybody, 0), quick)
    asked = {of(label) for label in part.labels(list(untuned))}
    chosen = dict.fromkeys(everybody, QUICK_OPTION)
    if not quick:
        tried = {who: options(who) for who in everybody}
        found = choose("fourrooms-search", tried, asked=asked, parallel=parallel)
        if found is None:
            return 130
        chosen |= found
    contest = contest_of(name, rows(chosen, quick), quick)
    jobs = part.jobs([label for label in contest.contestants if of(label) in asked])
    about = {"world": WORLD, "larger": LARGE, "ceilings": known_ceilings(contest)}
    if measure(contest, jobs, about, parallel=parallel, after=draw) is None:
        return 130
    print(table(read_record(record_path(name))))
    return 0


def contest_of(name: str, contestants: Mapping[str, Settings], quick: bool) -> Contest:
    """Every row, judged on both sizes, and what failed looked at."""
    layouts = 200 if quick else 1000
    look = partial(failures, layouts=layouts)
    return Contest(name, contestants, layouts, worlds=(WORLD, LARGE), look=look)


def of(label: str) -> str:
    """Who a row is about."""
    return label.split(",")[0]


def rows(chosen: Mapping[str, int], quick: bool) -> dict[str, Settings]:
    """Label -> settings of every row, the required ones first.

    Args:
        chosen: who takes part -> which of its options
        quick: the reduced form
    """
    plan: list[tuple[str, int, str]] = []
    ours = [who for who in chosen if who in EVERY]
    if quick:
        plan = [(who, QUICK_STEPS, WORLD) for who in ours]
    else:
        plan += [(who, steps, WORLD) for steps in BUDGETS for who in CORES]
        plan += [(who, steps, WORLD) for steps in BUDGETS for who in NETWORKS]
        plan += [(RECURRENT, RECURRENT_STEPS, WORLD), ("lstm", RECURRENT_STEPS, WORLD)]
        plan += [(who, BUDGETS[1], LARGE) for who in CORES]
        plan += [(who, LATER, WORLD) for who in CORES]
        plan += [(who, steps, WORLD) for steps in (*BUDGETS, LATER) for who in EXTRA]
    return {
        label(who, steps, world): settings(who, steps, world, options_of(who)[chosen[who]])
        for who, steps, world in plan
        if who in chosen
    }


def label(who: str, steps: int, world: str) -> str:
    """Such as "lstm, 2 M" or "lstm, 5 M, 25x25"."""
    return f"{who}, {steps / 1e6:g} M" + (", 25x25" if world == LARGE else "")


def options_of(who: str) -> tuple[Mapping[str, Any], ...]:
    """What is tried for whom: six settings each."""
    return SEARCH if who in EVERY else SB3_SEARCH


def options(who: str) -> list[Settings]:
    """The runs of somebody's search."""
    steps = RECURRENT_SEARCH_STEPS if who == RECURRENT else SEARCH_STEPS
    return [settings(who, steps, WORLD, option) for option in options_of(who)]


def settings(who: str, steps: int, world: str, tuning: Mapping[str, Any]) -> Settings:
    """Everything about a run but its seed."""
    if who in EVERY:
        return agent(who, steps, tuning, world)
    base = baseline(steps, world, tuning)
    if who == RECURRENT:
        return replace(base, algo="recurrent_ppo", network="default")
    return replace(base, network="default" if NETWORKS[who] == "default" else "same")


def agent(core: str, steps: int, tuning: Mapping[str, Any], world: str = WORLD) -> TrainConfig:
    """Our agent with one core; the feed-forward one is as wide as its budget of weights allows."""
    features = FEATURES if core != "none" else WIDE_FEATURES
    ppo = {name: value for name, value in tuning.items() if name != "bare_floor"}
    return TrainConfig(
        world,
        steps=steps,
        ppo=PPOConfig(**{**PRESETS["fourrooms"], **ppo}),
        agent=core,
        core=EVERY[core],
        encoder=EncoderConfig(
            feature_size=features,
            bare_floor=bool(tuning.get("bare_floor")),
            without_mission=True,
        ),
        save_every=1_000_000,
        log_every=20_000,
        eval_episodes=0,
    )


def baseline(steps: int, world: str, tuning: Mapping[str, Any]) -> BaselineConfig:
    """SB3 with many worlds."""
    return BaselineConfig(
        world,
        steps=steps,
        ppo=replace(SB3, **tuning),
        save_every=500_000,
        log_every=20_000,
        eval_episodes=0,
    )


def known_ceilings(contest: Contest) -> dict[str, dict[str, float]]:
    """From the record, where it was measured on as many layouts."""
    path = record_path(contest.name)
    if path.exists() and kept(contest):
        config = read_record(path)["config"]
        if "ceilings" in config:
            known: dict[str, dict[str, float]] = config["ceilings"]
            return known
    return ceilings(contest.layouts)


def ceilings(layouts: int) -> dict[str, dict[str, float]]:
    """What knowing the grid, and forgetting nothing, reach on the same layouts."""
    from s2lab.reproduce.ceilings import explore, shortest_ways
    from s2lab.seeds import table_seeds

    found = {}
    for name, player in (("knows the grid", shortest_ways), ("forgets nothing", explore)):
        for size, world in (("19x19", WORLD), ("25x25", LARGE)):
            steps = player(world, table_seeds(layouts))
            won = steps > 0
            found[f"{name}, {size}"] = {
                "success": round(float(won.mean()), 5),
                "steps_per_success": round(float(steps[won].mean()), 3),
            }
    return found
