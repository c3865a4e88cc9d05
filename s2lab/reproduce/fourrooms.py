"""The FourRooms table: success on unseen layouts, cores with and without modules, equal tuning.

Published: Goyal et al. 2021 (shared global workspace, arXiv 2103.01197), from the authors' slides;
the environment behind those figures is defined nowhere. Ours is MiniGrid-FourRooms-v0: 19 x 19,
random gaps, agent and goal, a view of 7 x 7, 100 steps, actions left, right and forward of seven.

Stages, each resumable: a search of the same `SEARCH` for every core at `SEARCH_STEPS`, chosen by
training success; five seeds at each budget with what was chosen; the record after every run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.ppo_config import PPOConfig
from s2lab.config import PRESETS, BaselineConfig, TrainConfig
from s2lab.reproduce.agent_runs import Contest, Job, Settings, run_contest
from s2lab.reproduce.learning_table import learning_table, summarise
from s2lab.reproduce.records import write_record

WORLD = "MiniGrid-FourRooms-v0"
PUBLISHED = {"lstm": 0.62, "rmc": 0.67, "rims": 0.72, "workspace": 0.96}
SOURCE = "Goyal et al. 2021, arXiv 2103.01197, from the authors' slides; frames not stated"

FEATURES, WIDE_FEATURES = 64, 144
# Sizes that bring every agent to about the parameters of RIMs with six modules of 32.
CORES: dict[str, Mapping[str, Any]] = {
    "none": {},
    "lstm": {"hidden_size": 152},
    "gru": {"hidden_size": 176},
    "rims": {"module_count": 6, "module_size": 32, "active_count": 4, "key_size": 32},
    "workspace": {"module_count": 6, "module_size": 32, "active_count": 4, "key_size": 24},
}
SEARCH = tuple(
    {"lr": lr, "entropy_coef": entropy, "entropy_end": end}
    for lr in (1e-3, 2e-3, 4e-3)
    for entropy, end in ((0.01, 1.0), (0.02, 0.1))
)
SEARCH_STEPS, SEARCH_SEED = 500_000, 1000
BUDGETS = (2_000_000, 5_000_000)


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Search, train, judge; returns the exit code, 130 when interrupted."""
    chosen = search(quick)
    if chosen is None:
        return 130
    name = "fourrooms-quick" if quick else "fourrooms"
    contest = Contest(name, contestants(chosen, quick), layouts=100 if quick else 1000)
    jobs: list[Job] = [(label, seed) for label in contest.contestants for seed in seeds]

    def note(results: Mapping[Job, Mapping[str, Any]]) -> None:
        rows = summarise(contest.contestants, results, seeds)
        about = {"world": WORLD, "layouts": contest.layouts, "ceilings": limits, "chosen": chosen}
        write_record(name, about, seeds, rows)

    limits = ceilings(contest.layouts)
    results = run_contest(contest, jobs, note)
    if results is None:
        return 130
    print(learning_table(summarise(contest.contestants, results, seeds)))
    return 0


def agent(core: str, steps: int, tuning: Mapping[str, float]) -> TrainConfig:
    """Our agent with one core; the feed-forward one is as wide as its budget of weights allows."""
    settings: dict[str, Any] = {**PRESETS["fourrooms"], **tuning}
    features = FEATURES if core != "none" else WIDE_FEATURES
    return TrainConfig(
        WORLD,
        steps=steps,
        ppo=PPOConfig(**settings),
        agent=core,
        core=CORES[core],
        encoder=EncoderConfig(feature_size=features),
        save_every=1_000_000,
        log_every=20_000,
        eval_episodes=0,
    )


def search(quick: bool) -> dict[str, dict[str, float]] | None:
    """The settings with the most training success for every core; None when interrupted."""
    options = SEARCH[2:3] if quick else SEARCH
    steps = 33_000 if quick else SEARCH_STEPS
    cores = ("none", "lstm") if quick else tuple(CORES)
    tried: dict[str, Settings] = {
        f"{core} {index}": agent(core, steps, option)
        for core in cores
        for index, option in enumerate(options)
    }
    name = "fourrooms-search-quick" if quick else "fourrooms-search"
    contest = Contest(name, tried, layouts=0)

    def note(results: Mapping[Job, Mapping[str, Any]]) -> None:
        rows = [
            {"label": label, **options[int(label.split()[1])]}
            | {"training_success": found["training_success"]}
            for (label, _), found in results.items()
        ]
        write_record(name, {"world": WORLD, "steps": steps}, [SEARCH_SEED], rows)

    results = run_contest(contest, [(label, SEARCH_SEED) for label in tried], note)
    if results is None:
        return None
    best = {}
    for core in cores:
        rates = [
            results[f"{core} {index}", SEARCH_SEED]["training_success"] or 0.0
            for index in range(len(options))
        ]
        best[core] = dict(options[rates.index(max(rates))])
    return best


def contestants(chosen: Mapping[str, Mapping[str, float]], quick: bool) -> dict[str, Settings]:
    """Every core at every budget, then SB3 at the first one."""
    budgets = (33_000,) if quick else BUDGETS
    found: dict[str, Settings] = {
        f"{core}, {words(steps)}": agent(core, steps, tuning)
        for steps in budgets
        for core, tuning in chosen.items()
    }
    if not quick:
        found |= dict(baselines(budgets[0]))
    return found


def baselines(steps: int) -> Iterator[tuple[str, Settings]]:
    """SB3 PPO about as its zoo trains MiniGrid (batches of 128 in place of 64), two networks."""
    ppo = PPOConfig(
        num_envs=8, rollout_steps=128, epochs=10, minibatches=8, lr=2.5e-4, lr_end=0.0,
        entropy_coef=0.0,
    )  # fmt: skip
    base = BaselineConfig(
        WORLD, steps=steps, ppo=ppo, save_every=1_000_000, log_every=20_000, eval_episodes=0
    )
    yield f"sb3 ppo, {words(steps)}", replace(base, network="default")
    yield f"sb3 ppo, our encoder, {words(steps)}", base


def ceilings(layouts: int) -> dict[str, dict[str, float]]:
    """What knowing the grid, and forgetting nothing, reach on the same layouts."""
    from s2lab.reproduce.ceilings import explore, shortest_ways
    from s2lab.seeds import table_seeds

    found = {}
    for name, player in (("knows the grid", shortest_ways), ("forgets nothing", explore)):
        steps = player(WORLD, table_seeds(layouts))
        won = steps > 0
        found[name] = {"success": float(won.mean()), "steps_per_success": float(steps[won].mean())}
    return found


def words(steps: int) -> str:
    """2 M for 2,000,000."""
    return f"{steps / 1e6:g} M"


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown: ceilings, ours, published."""
    about = record["config"]
    lines = learning_table(record["rows"])
    known = ", ".join(f"{name} {rate:.2f}" for name, rate in PUBLISHED.items())
    limits = "; ".join(
        f"a player that {name}: {of['success']:.4g} in {of['steps_per_success']:.1f} steps"
        for name, of in about["ceilings"].items()
    )
    return (
        f"{lines}\n\n{about['layouts']} unseen layouts of {about['world']}, 95 % intervals of the "
        f"mean over seeds (Student's t). Ceilings: {limits}. Published: {known} ({SOURCE})."
    )
