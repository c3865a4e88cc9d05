"""Tables of BabyAI, shifts and specialisation: their figures from constructed runs."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, permutation_test

import s2lab
from s2lab.envs.registration import find_world
from s2lab.envs.spaces import EVENT_BITS
from s2lab.errors import UserError
from s2lab.reproduce import babyai_rl, generalisation, run_reproduction, shifts, specialisation
from s2lab.reproduce.learning_table import summarise
from s2lab.reproduce.module_use import events_of, excess, module_use
from s2lab.reproduce.records import read_record
from s2lab.reproduce.shift_comparisons import amount, comparisons, nearest, within_groups
from s2lab.run_folder import RunFolder
from s2lab.stats import Interval
from s2lab.training import build_model

INSIDE, OUTSIDE = "MiniGrid-DoorKey-5x5-v0", "MiniGrid-DoorKey-16x16-v0"
ROOT = Path(__file__).parents[2]
SHIFTS = {"DoorKey": {"train": INSIDE, "tests": {"16x16": OUTSIDE}}}


def use(bits: float) -> dict[str, Any]:
    """What `module_use` found for a module that tells `bits` of one bit."""
    told = {
        "usage": [0.5], "collapse": 0.0, "bits": [[bits]], "by_chance": [[0.0]], "best": [bits],
        "best_by_chance": [0.0], "p_value": [0.01],
    }  # fmt: skip
    found = {"events": ["carrying"], "entropy": [1.0], "module": told}
    return {"steps": 100, "trained": found, "untrained": found}


def run(label: str, seed: int, inside: float, outside: float, bits: float | None) -> dict[str, Any]:
    judged = {
        world: {mode: {"success": rate, "steps_per_success": 9.0} for mode in ("sampled", "greedy")}
        for world, rate in ((INSIDE, inside), (OUTSIDE, outside))
    }
    return {
        "label": label, "seed": seed, "steps": 100, "parameters": 7, "training_s": 60.0,
        "cpu_s": 60.0, "training_success": inside, "curve": [[100, 1.0, inside, 50]],
        "played": judged, "looked": {} if bits is None else use(bits),
    }  # fmt: skip


def record(modular_outside: float) -> dict[str, Any]:
    noise = np.random.default_rng(0).normal(0, 0.01, 10).tolist()
    runs = [run("lstm, DoorKey", s, 0.99, 0.5 + noise[s], None) for s in range(5)]
    runs += [run("gru, DoorKey", s, 0.99, 0.5 + noise[9 - s], None) for s in range(5)]
    runs += [
        run("rims, DoorKey", s, 0.99, modular_outside + noise[5 + s], 0.5 + noise[5 + s])
        for s in range(5)
    ]
    return {"name": "shifts", "config": {"layouts": 10, "shifts": SHIFTS}, "rows": runs}


def test_a_smaller_gap_with_more_success_is_generalising_better() -> None:
    found = record(0.7)
    (one,) = comparisons(summarise(found["rows"]), SHIFTS)
    assert one.gap.estimate == pytest.approx(0.2, abs=0.02)
    assert one.p_value == pytest.approx(1 / 3003)  # the most extreme of the exchanges of fifteen
    assert one.better
    assert not one.worse
    page = generalisation.page(found, "shifts.svg")
    assert re.search(r"16x16: the gap of rims is smaller by 0\.[12]\d+ \(0\.1\d+ to 0\.2", page)
    assert re.search(r"\| DoorKey, 16x16 \| rims \| lstm and gru \| \+0\.[12]\d+ \(\+0\.1", page)
    assert "r = -1.00 over 5 runs" in page, "outside success was made to follow specialisation"


@pytest.mark.parametrize("path", sorted((ROOT / "runs/records").glob("shifts*.md")), ids=str)
def test_the_page_beside_a_record_says_what_the_record_says(path: Path) -> None:
    found = read_record(path.with_suffix(".json"))
    assert path.read_text() == generalisation.page(found, f"{path.stem}.svg"), "make readme"


def test_a_difference_below_0_is_said_with_the_other_word() -> None:
    found = amount(Interval(-0.3, -0.5, 0.1), "smaller", "larger")
    assert found == "larger by 0.300 (-0.100 to 0.500)"
    assert amount(Interval(0.3, -0.1, 0.5), "smaller", "larger") == (
        "smaller by 0.300 (-0.100 to 0.500)"
    )


def test_no_difference_is_said_to_be_none_and_a_lower_start_is_no_advantage() -> None:
    same = comparisons(summarise(record(0.5)["rows"]), SHIFTS)
    assert "In none of the 1 comparisons" in generalisation.answer(same)
    low = [run("lstm, DoorKey", s, 0.99, 0.5 + s / 100, None) for s in range(5)]
    low += [run("rims, DoorKey", s, 0.3, 0.2 + s / 100, 0.5) for s in range(5)]
    (one,) = comparisons(summarise(low), SHIFTS)
    assert one.gap.estimate > 0.3
    assert not one.better, "its gap is small because it learned little"
    assert nearest([one]) is None, "it is no nearer to helping for that"


def test_what_comes_nearest_to_helping_is_said_with_p_before_the_correction() -> None:
    runs = [run("lstm, DoorKey", s, 0.99, 0.5 + s / 10, None) for s in range(5)]
    runs += [run("rims, DoorKey", s, 0.99, 0.6 + s / 10, 0.5) for s in range(5)]
    runs += [run("scoff, DoorKey", s, 0.99, 0.51 + s / 10, 0.5) for s in range(5)]
    first, second = comparisons(summarise(runs), SHIFTS)
    assert not first.better
    assert nearest([second, first]) is first
    assert first.alone == pytest.approx(
        permutation_test_of_scipy(
            [0.5 + s / 10 for s in range(5)], [0.6 + s / 10 for s in range(5)]
        ),
        abs=0.02,
    )
    assert first.p_value == pytest.approx(2 * first.alone)
    said = generalisation.answer([second, first])
    assert f"Nearest to it comes {first.in_words()}, or {first.alone:.3f} alone." in said


def permutation_test_of_scipy(first: list[float], second: list[float]) -> float:
    """Two-sided p of a difference of means."""
    found = permutation_test(
        (first, second), lambda a, b, axis: a.mean(axis) - b.mean(axis), vectorized=True
    )
    return float(found.pvalue)


def test_relation_within_groups_is_pearsons_of_centred_values() -> None:
    rng = np.random.default_rng(3)
    groups = [[(float(x), float(-x + 10 * g)) for x in rng.normal(size=6)] for g in range(3)]
    r, p = within_groups(groups)
    assert r == pytest.approx(-1)
    assert p < 0.001
    noisy = [[(float(a), float(b)) for a, b in rng.normal(size=(8, 2))]]
    r, p = within_groups(noisy)
    known = pearsonr(*zip(*noisy[0], strict=True))
    assert r == pytest.approx(known.statistic)
    assert p == pytest.approx(known.pvalue, abs=0.03)
    assert within_groups([[(1.0, 2.0), (1.0, 3.0)]]) == (0.0, 1.0)


def test_every_shift_exists_and_cores_are_of_equal_size() -> None:
    for protocol in shifts.PROTOCOLS.values():
        for world_id in (protocol.train, *protocol.tests.values()):
            assert find_world(world_id)
        assert protocol.train not in protocol.tests.values()
    sizes = {}
    for core in shifts.CORES:
        model = build_model(shifts.agent(core, "DoorKey", INSIDE, 1000, {}))
        sizes[core] = sum(part.numel() for part in model.parameters())
    recurrent = [size for core, size in sizes.items() if core != "none"]
    assert max(recurrent) < 1.05 * min(recurrent), sizes
    assert {len(shifts.options(core, "DoorKey")) for core in shifts.CORES} == {6}


def test_99_percent_is_of_the_last_thousand_episodes_and_no_fewer() -> None:
    def lines(*counts: tuple[int, int]) -> list[dict[str, float]]:
        return [
            {"step": 10 * ended, "charts/episodes": ended, "charts/successes": won,
             "time/time_elapsed": ended / 2}
            for ended, won in counts
        ]  # fmt: skip

    assert babyai_rl.first_reached(lines((900, 900))) is None, "too few episodes to tell"
    assert babyai_rl.first_reached(lines((1000, 990))) == [10_000, 1000, 500.0]
    slow = lines((1000, 0), (1900, 900), (2100, 1095), (3000, 1990))
    assert babyai_rl.first_reached(slow) == [21_000, 2100, 1050.0], "1100 episodes, 1095 well"
    assert babyai_rl.first_reached(lines((1000, 900), (2000, 1880))) is None


def test_levels_are_chosen_by_name_and_published_counts_stand_beside() -> None:
    assert babyai_rl.LEVELS["GoToRedBall"][0] == (172, 273)
    assert set(babyai_rl.REQUIRED) < set(babyai_rl.LEVELS)
    row = run("lstm, GoToLocal", 0, 0.9, 0.9, None)
    row["played"] = {"BabyAI-GoToLocal-v0": row["played"][INSIDE]}
    rows = [
        {**row, "looked": {"needed": [2e6, 3e5, 60.0]}},
        {**row, "seed": 1, "looked": {"needed": None}},
    ]
    about = {"layouts": 10, "window": 1000, "wanted": 0.99}
    text = babyai_rl.table({"rows": rows, "config": about})
    assert "| 1 of 2 | 300.0 [300.0, 300.0] | 242 to 1311 | 2,000.0" in text
    assert "Not at 99 % when the frames were spent" in text
    with pytest.raises(UserError, match=r"--levels is .* and curves has no use for it"):
        run_reproduction("curves", quick=True, seeds=[0], levels=("GoTo",))


def test_events_are_what_is_seen_and_done_at_a_step() -> None:
    image = torch.zeros(2, 1, 7, 7, 3, dtype=torch.uint8)
    image[..., 0] = 1
    image[0, 0, 2, 3, 0] = 5  # a key in view, then in hand
    image[1, 0, 3, 6, 0] = 5
    bits = torch.tensor([[EVENT_BITS["picked"]], [EVENT_BITS["unlocked"] | EVENT_BITS["opened"]]])
    found = events_of({"image": image}, bits)
    assert {name: flag[:, 0].tolist() for name, flag in found.items()} == {
        "key in view": [True, False],
        "carrying": [False, True],
        "picking up": [True, False],
        "opening a door": [False, True],
    }


def test_a_run_is_looked_into_and_drawn(tmp_path: Path) -> None:
    small = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2, epochs=1)
    config = s2lab.TrainConfig(
        "MiniGrid-Unlock-v0", agent="scoff", steps=64, ppo=small, eval_episodes=0,
        core={"module_count": 3, "module_size": 8, "active_count": 2, "schema_count": 2,
              "kernel": "torch"},
    )  # fmt: skip
    path = s2lab.train(config, runs=tmp_path, quiet=True).path
    found = module_use(RunFolder.open(path), steps=1600, shifts=5)
    assert json.loads(json.dumps(found)) == found
    assert {"key in view", "door in view"} <= set(found["trained"]["events"])
    assert sum(found["trained"]["module"]["usage"]) == pytest.approx(2, abs=1e-4)
    assert sum(found["trained"]["schema"]["usage"]) == pytest.approx(1, abs=1e-4)
    for name, share in excess(found["trained"], "schema").items():
        assert -1 < share <= 1, name
    row = {**run("scoff, Unlock", 0, 0.5, 0.5, None), "looked": found}
    row["played"] = {"MiniGrid-Unlock-v0": row["played"][INSIDE]}
    rows = [row, {**row, "seed": 1}]
    text = specialisation.table({"rows": rows})
    assert "| scoff, Unlock | 2/5 | 0.500 ± 0.000 | schemata |" in text
    target = tmp_path / "record.json"
    target.write_text(json.dumps({"format": 1, "rows": rows}))
    specialisation.draw(target)
    assert (
        "carrying" in target.with_suffix(".svg").read_text() or len(found["trained"]["events"]) < 3
    )
