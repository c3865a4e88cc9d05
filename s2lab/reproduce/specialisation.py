"""What modules and schemata do: information about keys, carrying and doors, against controls.

Claimed for SCOFF and RIMs in BabyAI (Goyal et al. 2020, arXiv 2006.16225): schemata specialise on
procedures such as opening a door. Ours: mutual information in bits between the use of each module,
or choice of each schema, and each event, beside the same under circular shifts in time, and beside
the same network before training, over five seeds on Unlock and UnlockPickup.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from s2lab import durable
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.ppo_config import PPOConfig
from s2lab.config import TrainConfig
from s2lab.presets import PRESETS
from s2lab.reproduce.agent_runs import Contest, Settings, find
from s2lab.reproduce.equal_cores import some
from s2lab.reproduce.figures import new_figure, save_figure
from s2lab.reproduce.kept_runs import Part, fields, measure, record_path
from s2lab.reproduce.learning_table import Row, minutes, played, seeds_of, shown, summarise
from s2lab.reproduce.module_use import excess, module_use
from s2lab.reproduce.records import markdown, read_record
from s2lab.reproduce.search import choose

# World -> frames of a run. On seed 3000 RIMs were at 95 % in Unlock after 184 thousand frames. In
# UnlockPickup, always with the bonus for sights, three settings left them at 0 after 1 to 1.5
# million and eight an LSTM at 0 to 33 % after 1 to 2 million; an agent without memory was at 90 %
# after 385 thousand.
WORLDS = {"Unlock": 400_000, "UnlockPickup": 3_000_000}
QUICK = {"Unlock": 60_000}
CORES = some("rims", "workspace", "scoff")
QUICK_CORES = ("rims", "scoff")
BRIGHTEST = 0.1  # share of an event's entropy at the top of the heat maps' scale, at least
PARTS = {"module": "modules", "schema": "schemata"}
SEARCH: tuple[Mapping[str, Any], ...] = tuple(
    {"lr": lr, "entropy_coef": bonus} for bonus in (0.01, 0.02) for lr in (5e-4, 1e-3, 2e-3)
)
SEARCH_WORLD, SEARCH_STEPS = "Unlock", 200_000


def reproduce(
    *,
    quick: bool,
    seeds: Sequence[int],
    only: Sequence[str] = (),
    parallel: int | None = None,
) -> int:
    """Search, train, measure, draw; returns the exit code, 130 when interrupted."""
    part = Part(seeds, only, parallel)
    asked = part.labels(labels(quick))
    chosen = dict.fromkeys(CORES, 1)
    if not quick:
        cores = {fields(label)[0] for label in asked}
        tried = {core: options(core) for core in CORES}
        found = choose("specialisation-search", tried, asked=cores, parallel=parallel)
        if found is None:
            return 130
        chosen |= found
    contest = contest_of(quick, chosen)
    about = {"events": "of the step, as seen and as done"}
    jobs = part.jobs(asked)
    if measure(contest, jobs, about, parallel=parallel, after=draw) is None:
        return 130
    for label in dict.fromkeys(label for label, _ in jobs):
        picture(contest, label, jobs[0][1])
    print(table(read_record(record_path(contest.name))))
    return 0


def labels(quick: bool) -> list[str]:
    """Every row, world by world."""
    worlds, cores = (QUICK, QUICK_CORES) if quick else (WORLDS, tuple(CORES))
    return [f"{core}, {world}" for world in worlds for core in cores]


def contest_of(quick: bool, chosen: Mapping[str, int]) -> Contest:
    """All rows, looked into."""
    rows: dict[str, Settings] = {}
    for label in labels(quick):
        core, world = fields(label)
        steps = QUICK[world] if quick else WORLDS[world]
        rows[label] = agent(core, world, steps, SEARCH[chosen[core]])
    name, layouts = ("specialisation-quick", 200) if quick else ("specialisation", 1000)
    steps = 2000 if quick else 8000
    return Contest(name, rows, layouts, look=partial(module_use, steps=steps))


def options(core: str) -> list[Settings]:
    """The runs of a core's search."""
    return [agent(core, SEARCH_WORLD, SEARCH_STEPS, tuning) for tuning in SEARCH]


def agent(core: str, world: str, steps: int, tuning: Mapping[str, Any]) -> TrainConfig:
    """Everything about a run but its seed."""
    return TrainConfig(
        f"MiniGrid-{world}-v0",
        steps=steps,
        ppo=PPOConfig(**{**PRESETS["doorkey"], **tuning}),
        agent=core,
        core=CORES[core],
        encoder=EncoderConfig(bare_floor=True, without_mission=True),
        save_every=500_000,
        log_every=steps // 50,
        eval_episodes=0,
    )


def table(record: Mapping[str, Any]) -> str:
    """Who tells how much about what, as Markdown, and in words."""
    rows = summarise(record["rows"])
    events = list(
        dict.fromkeys(
            event
            for row in rows
            for found in row["looked"]
            if found
            for event in found["trained"]["events"]
        )
    )
    header = ["agent", "seeds", "success", "of", "collapse", *events, "untrained", "CPU minutes"]
    lines = []
    for row in rows:
        for part, words in PARTS.items():
            looked = [found for found in row["looked"] if found and part in found["trained"]]
            if not looked:
                continue
            (world,) = row["played"]
            untrained = [fmean(excess(found["untrained"], part).values()) for found in looked]
            lines.append(
                [row["label"], seeds_of(row), played(world, "sampled", "success")(row), words]
                + [shown([found["trained"][part]["collapse"] for found in looked], 2)]
                + [cell(looked, part, event) for event in events]
                + [shown(untrained, 3), minutes(row["cpu_s"])]
            )
    return (
        f"{markdown(header, lines)}\n\nShare of an event's entropy that the use of the module (or "
        "choice of the schema) that tells most about it tells, less what the one that tells most "
        "tells when events are shifted in time; mean over seeds with Student's 95 % interval, and "
        "on how many seeds it is beyond 95 % of the shifts. Untrained: the same network before "
        "training, mean over the events. Collapse: 0 all used alike, 1 one does everything.\n\n"
        + "\n".join(f"* {line}" for line in told(rows))
    )


def cell(looked: Sequence[Mapping[str, Any]], part: str, event: str) -> str:
    """Excess over seeds, and how many seeds are beyond chance."""
    having = [found["trained"] for found in looked if event in found["trained"]["events"]]
    if not having:
        return ""
    values = [excess(found, part)[event] for found in having]
    beyond = [found[part]["p_value"][found["events"].index(event)] < 0.05 for found in having]
    return f"{shown(values, 3)} ({sum(beyond)} of {len(beyond)})"


def told(rows: Sequence[Row]) -> list[str]:
    """Whether training makes parts tell more than chance, and than the untrained network."""
    lines = []
    for row in rows:
        for part, words in PARTS.items():
            looked = [found for found in row["looked"] if found and part in found["trained"]]
            if len(looked) < 2:
                continue
            trained, untrained = (
                [fmean(excess(found[which], part).values()) for found in looked]
                for which in ("trained", "untrained")
            )
            more = [a - b for a, b in zip(trained, untrained, strict=True)]
            lines.append(
                f"{row['label']}, {words}: {shown(trained, 3)} of the events' entropy beyond "
                f"chance, {shown(untrained, 3)} before training, difference {shown(more, 3)}"
            )
    return lines


def draw(path: Path) -> None:
    """Heat maps beside the record: parts x events, share of entropy beyond chance, first seed."""
    panels = [
        (f"{row['label']}, seed {row['seeds'][0]}", part, row["looked"][0]["trained"])
        for row in summarise(read_record(path)["rows"])
        for part in PARTS
        if row["looked"][0] and part in row["looked"][0]["trained"]
    ]
    if not panels:
        return
    figure = new_figure(3.4 * len(panels), 3.6)
    grids = [shares(found, part) for _, part, found in panels]
    brightest = max(BRIGHTEST, *(share for grid in grids for row in grid for share in row))
    shades: Any = None
    for axes, (title, part, found), grid in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, grids, strict=True
    ):
        shades = axes.imshow(grid, vmin=0, vmax=brightest, cmap="viridis", aspect="auto")
        axes.set_xticks(range(len(found["events"])), found["events"], rotation=40, ha="right")
        axes.set_yticks(range(len(grid)), [f"{part} {k}" for k in range(len(grid))])
        axes.set_title(title, fontsize="small")
    figure.colorbar(shades, ax=figure.axes, label="share of the event's entropy")
    save_figure(figure, path)


def shares(found: Mapping[str, Any], part: str) -> list[list[float]]:
    """Of each part and event, the share of the event's entropy that it tells beyond chance."""
    return [
        [(a - b) / most for a, b, most in zip(bits, by, found["entropy"], strict=True)]
        for bits, by in zip(found[part]["bits"], found[part]["by_chance"], strict=True)
    ]


def picture(contest: Contest, label: str, seed: int) -> None:
    """One episode above who was active, beside the record; only where the run itself is here."""
    from s2lab.explain import draw_inside

    run = find(contest, label, seed)
    if run is not None and run.summary["status"] == "finished":
        name = "-".join(fields(label)).lower()
        target = record_path(f"{contest.name}-{name}").with_suffix(".png")
        durable.replace(target, draw_inside(run.path, 0).read_bytes())
