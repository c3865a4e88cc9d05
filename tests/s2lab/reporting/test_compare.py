"""Comparisons of made-up run folders, against numpy, scipy and figures worked out by hand."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from s2lab import compare as compare_module
from s2lab.compare import compare
from s2lab.errors import UserError
from s2lab.reporting.comparison import Comparison, Contest
from s2lab.reporting.comparison_tables import comparison_record, comparison_tables
from s2lab.reporting.contests import verdict
from s2lab.stats import Interval, interquartile_mean


def shares(*successes: int, of: int = 10) -> list[list[int]]:
    """Episodes of one run each: so many successes of so many."""
    return [[1] * k + [0] * (of - k) for k in successes]


@pytest.fixture
def two_agents(make_run: Any, tmp_path: Path) -> Path:
    """lstm and ppo on one environment, six seeds each, far apart."""
    for agent, runs in (("lstm", shares(9, 8, 10, 9, 7, 8)), ("ppo", shares(3, 5, 4, 2, 4, 5))):
        for seed, success in enumerate(runs):
            make_run(agent, seed, success)
    return tmp_path / "runs"


def entry_of(comparison: Comparison, label: str) -> Any:
    return next(entry for entry in comparison.entries if entry.label == label)


def warned(comparison: Comparison, part: str) -> bool:
    return any(part in warning for warning in comparison.warnings)


def test_scores_are_those_of_the_evaluations(two_agents: Path) -> None:
    comparison = compare(two_agents)
    assert comparison.labels == ("lstm", "ppo")
    lstm = entry_of(comparison, "lstm")
    scores = np.array([0.9, 0.8, 1.0, 0.9, 0.7, 0.8])
    np.testing.assert_allclose(lstm.scores, scores)
    assert lstm.score.mean.estimate == pytest.approx(scores.mean())
    assert lstm.score.median.estimate == pytest.approx(np.median(scores))
    assert lstm.score.optimality_gap.estimate == pytest.approx(1 - scores.mean())
    assert lstm.score.interquartile_mean.estimate == pytest.approx(interquartile_mean([scores]))
    assert lstm.mean_return.estimate == pytest.approx(0.9 * scores.mean())
    assert lstm.mean_length.estimate == pytest.approx(10 + 40 * (1 - scores.mean()))
    assert lstm.steps_per_s == 1000 / 50.0
    limits = scipy_stats.bootstrap((scores,), np.mean, method="percentile", rng=1)
    assert lstm.score.mean.low == pytest.approx(limits.confidence_interval.low, abs=0.02)
    assert lstm.score.mean.high == pytest.approx(limits.confidence_interval.high, abs=0.02)


def test_the_same_runs_give_the_same_comparison(two_agents: Path) -> None:
    first, second = (comparison_record(compare(two_agents)) for _ in range(2))
    assert first == second


def test_a_clear_difference_is_called_one(two_agents: Path) -> None:
    comparison = compare(two_agents)
    (contest,) = comparison.contests
    assert (contest.ours, contest.theirs, contest.seeds) == ("lstm", "ppo", 6)
    assert contest.improvement.estimate == pytest.approx(1.0)
    assert contest.p_value == pytest.approx(2 / math.comb(12, 6))
    assert "lstm is better than ppo by 46.7 points" in comparison.verdicts[0]
    assert "wins 100.0 % of pairs" in comparison.verdicts[0]
    assert comparison.warnings == ()


def test_one_seed_has_the_wilson_interval_of_its_episodes_and_no_verdict(
    make_run: Any, tmp_path: Path
) -> None:
    make_run("lstm", 0, [1] * 45 + [0] * 5)
    make_run("ppo", 0, [1] * 10 + [0] * 40)
    comparison = compare(tmp_path / "runs")
    expected = scipy_stats.binomtest(45, 50).proportion_ci(method="wilson")
    mean = entry_of(comparison, "lstm").score.mean
    assert (mean.low, mean.high) == pytest.approx((expected.low, expected.high))
    assert "says nothing about the next one" in comparison.verdicts[0]
    assert warned(comparison, "Fewer than five seeds: lstm on MiniGrid-DoorKey-5x5-v0 has 1")


def test_a_policy_that_never_trained_is_a_level_not_a_contestant(
    make_run: Any, two_agents: Path
) -> None:
    make_run("random", 0, [1] + [0] * 49, steps=0, kind="baseline")
    comparison = compare(two_agents)
    assert [(c.ours, c.theirs) for c in comparison.contests] == [("lstm", "ppo")]
    assert "Clearly above random: lstm, ppo." in comparison.verdicts
    assert not warned(comparison, "Budgets differ")
    assert not warned(comparison, "Fewer than five")


def test_environments_are_strata_and_count_the_same(make_run: Any, tmp_path: Path) -> None:
    runs = {("A-v0", "lstm"): (9, 8), ("A-v0", "ppo"): (5, 6), ("B-v0", "lstm"): (4, 3, 2)}
    runs[("B-v0", "ppo")] = (1, 0)
    for (env_id, agent), successes in runs.items():
        for seed, success in enumerate(shares(*successes)):
            make_run(agent, seed, success, env_id=env_id)
    make_run("late", 0, [1, 0], env_id="A-v0")
    comparison = compare(tmp_path / "runs", by="agent")
    assert comparison.overall is not None
    assert set(comparison.overall.scores) == {"lstm", "ppo"}
    assert comparison.overall.scores["lstm"].mean.estimate == pytest.approx((0.85 + 0.3) / 2)
    assert warned(comparison, "Not in the totals, for lack of an environment: late")
    assert comparison.contests[0].env_id is None
    assert comparison.contests[0].improvement.estimate == pytest.approx(1.0)


def test_mixed_environments_need_it_said_what_to_compare(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, env_id="A-v0")
    make_run("lstm", 0, env_id="B-v0")
    with pytest.raises(UserError, match=r"2 environments \(A-v0, B-v0\): say .* --by agent"):
        compare(tmp_path / "runs")
    assert len(compare(tmp_path / "runs", by="agent").environments) == 2


def test_any_setting_can_tell_contestants_apart(make_run: Any, tmp_path: Path) -> None:
    for seed in range(4):
        make_run("lstm", seed, config={"ppo": {"lr": 0.001 if seed % 2 else 0.0001}})
    comparison = compare(tmp_path / "runs", by="ppo.lr")
    assert set(comparison.labels) == {"ppo.lr=0.001", "ppo.lr=0.0001"}
    with pytest.raises(UserError, match=r"unknown setting 'ppo.rl'; did you mean 'ppo.lr'\?"):
        compare(tmp_path / "runs", by="ppo.rl")
    pooled = compare(tmp_path / "runs")
    assert warned(pooled, "although their settings differ: ppo.lr (0.0001, 0.001)")


def test_against_names_the_one_that_all_others_meet(make_run: Any, tmp_path: Path) -> None:
    for agent in "abcd":
        make_run(agent, 0)
    comparison = compare(tmp_path / "runs", against="c")
    assert {(c.ours, c.theirs) for c in comparison.contests} == {(x, "c") for x in "abd"}
    with pytest.raises(UserError, match="unknown label 'e'"):
        compare(tmp_path / "runs", against="e")


@pytest.mark.parametrize("pattern", ["nothing-*", "nothing"])
def test_a_pattern_that_matches_nothing_says_what_is_there(
    make_run: Any, tmp_path: Path, pattern: str
) -> None:
    with pytest.raises(UserError, match=r"no run folder matches .*runs does not exist"):
        compare(tmp_path / "runs" / pattern)
    made = make_run("lstm", 0)
    with pytest.raises(UserError, match=f"holds 1 run, such as {made.name}"):
        compare(tmp_path / "runs" / pattern)


def test_runs_are_found_by_name_by_glob_and_in_a_folder(make_run: Any, tmp_path: Path) -> None:
    run = make_run("lstm", 0, name="odd[name]*")
    make_run("lstm", 1)
    for given, count in ((run, 1), (tmp_path / "runs", 2), (f"{tmp_path}/r*s", 2), ([run, run], 1)):
        found = compare(given).entries
        assert sum(len(entry.runs) for entry in found) == count


def test_what_a_shell_makes_of_a_star_may_hold_no_runs(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm")
    (tmp_path / "runs" / "slurm").mkdir()
    (tmp_path / "runs" / "notes.txt").touch()
    assert len(compare(sorted((tmp_path / "runs").iterdir())).entries) == 1
    with pytest.raises(UserError, match="no run folder matches"):
        compare([tmp_path / "runs", tmp_path / "runs" / "misspelt"])
    with pytest.raises(UserError, match="no run folder matches"):
        compare([tmp_path / "runs" / "slurm"])


def test_runs_without_an_evaluation_have_a_curve_and_no_score(
    make_run: Any, tmp_path: Path
) -> None:
    curve = [(0, 0.0), (100, 1.0)]
    for seed in range(3):
        make_run("lstm", seed, None if seed == 2 else [1, 0], curve=curve)
    comparison = compare(tmp_path / "runs")
    lstm = entry_of(comparison, "lstm")
    assert (len(lstm.runs), len(lstm.scores), lstm.curves) == (3, 2, 3)
    assert warned(comparison, "Without an evaluation, and so without a score: MiniGrid")


def test_nothing_but_unevaluated_runs_still_compares_curves(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, None, curve=[(0, 0.0), (100, 1.0)])
    comparison = compare(tmp_path / "runs")
    assert entry_of(comparison, "lstm").score is None
    assert comparison.contests == ()
    assert comparison_tables(comparison)["agents"].rows[0][1] == 0


def test_an_evaluation_that_is_not_a_number_is_left_out(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0)
    odd = {"episodes": 4, "success_rate": None, "mean_return": math.nan, "mean_length": 3}
    make_run("lstm", 1, eval=odd)
    comparison = compare(tmp_path / "runs")
    assert entry_of(comparison, "lstm").scores == (0.75,)
    assert warned(comparison, "The evaluation is not a number, left out: MiniGrid")


def test_an_evaluation_only_in_eval_json_counts(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, [1, 1, 1, 0], eval=None)
    assert entry_of(compare(tmp_path / "runs"), "lstm").scores == (0.75,)


def test_a_metrics_file_cut_by_a_crash_is_read_up_to_the_cut(make_run: Any, tmp_path: Path) -> None:
    run = make_run("lstm", 0, curve=[(0, 0.1), (50, 0.6), (100, 0.95)])
    whole = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(whole[:-20])
    comparison = compare(tmp_path / "runs")
    assert warned(comparison, "metrics.jsonl is cut or damaged at line 3; it was read up to there")
    np.testing.assert_array_equal(entry_of(comparison, "lstm").curve.runs[0].steps, [0, 50])


def test_metrics_that_are_not_numbers_are_gaps_and_said_so(make_run: Any, tmp_path: Path) -> None:
    run = make_run("lstm", 0, curve=[(0, 0.1), (50, None), (100, 0.95)])
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 150, "time": 1700000001.5, "rollout/success_rate": NaN}\n')
    comparison = compare(tmp_path / "runs")
    np.testing.assert_array_equal(entry_of(comparison, "lstm").curve.runs[0].steps, [0, 100])
    assert warned(comparison, "rollout/success_rate is not a number in 2 rows, left out")


def test_a_damaged_summary_costs_its_run_only(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0)
    broken = make_run("lstm", 1)
    (broken / "summary.json").write_text('{"format": 1, "env')
    comparison = compare(tmp_path / "runs")
    assert len(entry_of(comparison, "lstm").runs) == 1
    assert warned(comparison, "summary.json is damaged")
    with pytest.raises(UserError, match=r"no run can be read: .*summary.json is damaged"):
        compare(broken)


def test_a_run_from_a_newer_version_is_refused(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, format=99)
    with pytest.raises(UserError, match=r"newer s2lab \(format 99.*upgrade"):
        compare(tmp_path / "runs")


def test_unequal_conditions_are_warned_about(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, [1] * 10, steps=2_000_000)
    make_run("lstm", 0, [1] * 10, steps=2_000_000, name="again", status="interrupted")
    short = make_run("ppo", 0, [1] * 8, steps=500_000)
    (short / "eval.json").write_text(json.dumps({"policy": "greedy", "seeds": [1, 2]}))
    comparison = compare(tmp_path / "runs")
    assert warned(comparison, "Budgets differ on MiniGrid-DoorKey-5x5-v0: lstm 2M, ppo 500k steps")
    assert warned(comparison, "Seeds that ran more than once count as independent runs: lstm on")
    assert warned(comparison, "Not finished: again (interrupted)")
    assert warned(comparison, "Evaluated on 8, 10 episodes")
    assert warned(comparison, "Evaluated with greedy and sampled actions")


def test_runs_evaluated_on_other_seeds_are_warned_about(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, [1, 0])
    other = make_run("ppo", 0, [1, 0])
    (other / "eval.json").write_text(json.dumps({"policy": "sampled", "seeds": [1, 2]}))
    assert warned(compare(tmp_path / "runs"), "Evaluated on different seeds")


def test_steps_to_a_level_are_medians_that_count_runs_never_there(
    make_run: Any, tmp_path: Path
) -> None:
    make_run("lstm", 0, curve=[(100, 0.2), (200, 0.5), (300, 0.96)])
    make_run("lstm", 1, curve=[(100, 0.6), (200, 0.92), (300, 0.93)])
    make_run("lstm", 2, curve=[(100, 0.1), (200, 0.2), (300, 0.3)])
    reached = entry_of(compare(tmp_path / "runs"), "lstm").reached
    assert [(r.level, r.median_steps, r.runs) for r in reached] == [
        (0.5, 200.0, 2),
        (0.9, 300.0, 2),
        (0.95, math.inf, 1),
    ]


def test_curves_are_averaged_where_all_seeds_run(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm", 0, curve=[(0, 0.0), (100, 1.0)])
    make_run("lstm", 1, curve=[(20, 0.2), (40, 0.4), (60, 0.2)])
    curve = entry_of(compare(tmp_path / "runs"), "lstm").curve
    assert (curve.x[0], curve.x[-1]) == (20, 60)
    expected = (curve.x / 100 + np.interp(curve.x, [20, 40, 60], [0.2, 0.4, 0.2])) / 2
    np.testing.assert_allclose(curve.band.estimate, expected)
    np.testing.assert_allclose(
        curve.band.high,
        np.maximum(curve.x / 100, np.interp(curve.x, [20, 40, 60], [0.2, 0.4, 0.2])),
    )  # of two runs the upper limit is the higher one


def test_many_runs_are_compared_by_their_summaries_alone(
    make_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that only a close look opens are unreadable here, and nobody complains."""
    monkeypatch.setattr(compare_module, "LOOK_CLOSELY_UP_TO", 2)
    for seed in range(3):
        run = make_run("lstm", seed, curve=[(0, 0.5)])
        for name in ("metrics.jsonl", "eval.json"):
            (run / name).write_text("{")
    comparison = compare(tmp_path / "runs")
    assert entry_of(comparison, "lstm").scores == (0.75,) * 3
    assert entry_of(comparison, "lstm").curves == 0
    assert warned(comparison, "Learning curves of 3 runs were left unread")
    assert not warned(comparison, "damaged")
    assert warned(compare(tmp_path / "runs", curves=True), "damaged at line 1")


def contest(difference: Interval, p_value: float, seeds: int) -> Contest:
    improvement = Interval(0.8, 0.6, 0.9)
    return Contest("E-v0", "a", "b", difference, improvement, p_value, tested=3, seeds=seeds)


@pytest.mark.parametrize(
    ("difference", "p_value", "seeds", "words"),
    [
        (
            Interval(0.3, 0.2, 0.4),
            0.01,
            5,
            "a is better than b on E-v0 by 30.0 points (95 % interval",
        ),
        (Interval(-0.3, -0.4, -0.2), 0.01, 5, "b is better than a on E-v0 by 30.0 points"),
        (Interval(-0.3, -0.4, -0.2), 0.01, 5, "interval 20.0 to 40.0); it wins 20.0 % of pairs"),
        (Interval(0.3, 0.2, 0.4), 0.10, 3, "3 seeds suggest a difference and do not establish it"),
        (
            Interval(0.3, 0.2, 0.4),
            0.20,
            8,
            "suggestive, not significant (permutation test, p = 0.2",
        ),
        (Interval(0.3, -0.2, 0.4), 0.2, 8, "No difference between a and b on E-v0 is shown: 30.0"),
        (
            Interval(0.3, math.nan, math.nan),
            1.0,
            1,
            "differ by 30.0 points, but with a single seed",
        ),
        (Interval(0.3, 0.2, 0.4), 0.0001, 9, "p < 0.001, corrected for 3 comparisons"),
    ],
)
def test_words_claim_no_more_than_the_runs_show(
    difference: Interval, p_value: float, seeds: int, words: str
) -> None:
    assert words in verdict(contest(difference, p_value, seeds), "success_rate", 0.95)


def test_the_record_is_plain_json(two_agents: Path) -> None:
    record = json.loads(json.dumps(comparison_record(compare(two_agents)), allow_nan=False))
    assert record["labels"] == ["lstm", "ppo"]
    assert record["entries"][0]["score"]["mean"]["estimate"] == pytest.approx(0.85)
    assert record["entries"][0]["runs"][0]["path"].startswith(str(two_agents))


def test_control_characters_in_names_never_reach_a_terminal(make_run: Any, tmp_path: Path) -> None:
    make_run("evil\x1b[2Jagent\nname", 0, name="plain")
    comparison = compare(tmp_path / "runs")
    assert comparison.labels == ("evil\ufffd[2Jagent\ufffdname",)
