"""Statistics, against scipy, closed forms and arrays small enough to work out by hand."""

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from s2lab import significance, stats

SCORES = st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=6), min_size=1, max_size=4).map(
    lambda tasks: [np.array(task) for task in tasks]
)


@pytest.mark.parametrize("runs", [4, 8, 12, 40])
def test_interquartile_mean_is_scipys_trimmed_mean_where_quarters_are_whole(runs: int) -> None:
    scores = np.random.default_rng(runs).normal(size=(runs, 3))
    expected = scipy_stats.trim_mean(scores, 0.25, axis=None)
    assert stats.interquartile_mean(list(scores.T)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([7.0], 7.0),
        ([0.0, 10.0], 5.0),
        # quarters of 3/4 run: 1/4 of the lowest, the middle one, 1/4 of the highest
        ([0.0, 1.0, 5.0], (0.25 * 0 + 1 + 0.25 * 5) / 1.5),
        # quarters of 5/4 run: 3/4 of the second, the third, 3/4 of the fourth
        ([0.0, 1.0, 2.0, 5.0, 100.0], (0.75 * 1 + 2 + 0.75 * 5) / 2.5),
        # quarters of 3/2 run
        ([9.0, 1.0, 2.0, 3.0, 4.0, -5.0], (0.5 * 1 + 2 + 3 + 0.5 * 4) / 3),
    ],
)
def test_interquartile_mean_counts_runs_on_a_quartile_by_their_fraction(
    scores: list[float], expected: float
) -> None:
    assert stats.interquartile_mean([np.array(scores)]) == pytest.approx(expected, abs=1e-12)


def test_interquartile_mean_is_the_trimmed_mean_of_repeated_runs() -> None:
    """Repeating every run four times makes the quarters whole and must change nothing."""
    for runs in (1, 3, 5, 7, 10):
        scores = np.random.default_rng(runs).normal(size=runs)
        expected = scipy_stats.trim_mean(np.repeat(scores, 4), 0.25)
        assert stats.interquartile_mean([scores]) == pytest.approx(expected, abs=1e-12)


def test_every_task_counts_the_same_however_many_runs_it_has() -> None:
    few, many = np.array([1.0, 3.0]), np.array([0.0, 2.0, 4.0, 6.0])
    twice = [np.repeat(few, 2), many]
    for statistic in (stats.mean, stats.interquartile_mean, stats.median, stats.optimality_gap):
        assert statistic([few, many]) == pytest.approx(statistic(twice), abs=1e-12)
    assert stats.interquartile_mean(twice) == pytest.approx(
        scipy_stats.trim_mean(np.concatenate(twice), 0.25), abs=1e-12
    )


@given(SCORES)
def test_statistics_agree_with_plain_numpy(tasks: list[np.ndarray]) -> None:
    means = [task.mean() for task in tasks]
    assert stats.mean(tasks) == pytest.approx(np.mean(means), abs=1e-9)
    assert stats.median_of_tasks(tasks) == pytest.approx(np.median(means), abs=1e-9)
    assert stats.median(tasks[:1]) == pytest.approx(np.median(tasks[0]), abs=1e-9)
    gap = np.mean([np.mean([max(0.0, 1.0 - run) for run in task]) for task in tasks])
    assert stats.optimality_gap(tasks) == pytest.approx(gap, abs=1e-9)


@given(SCORES, st.integers(0, 5))
def test_weights_of_a_resample_give_what_the_resampled_runs_give(
    tasks: list[np.ndarray], seed: int
) -> None:
    """The oracle draws the runs themselves and repeats the plain statistic on the copies."""
    rng = np.random.default_rng(seed)
    picks = [rng.integers(task.size, size=task.size) for task in tasks]
    copies = [task[pick] for task, pick in zip(tasks, picks, strict=True)]
    weights = [np.bincount(pick, minlength=pick.size) / pick.size for pick in picks]
    thresholds = np.linspace(-5, 5, 7)
    for statistic in (
        stats.mean,
        stats.median,
        stats.median_of_tasks,
        stats.interquartile_mean,
        stats.optimality_gap,
        lambda x, w=None: stats.performance_profile(x, thresholds, w),
        lambda x, w=None: stats.probability_of_improvement(x, tasks, w, None),
    ):
        np.testing.assert_allclose(statistic(tasks, weights), statistic(copies), atol=1e-9)


def test_probability_of_improvement_is_mann_whitney_u_over_pairs() -> None:
    rng = np.random.default_rng(0)
    ours = [rng.integers(0, 4, size=9).astype(float) for _ in range(3)]  # small integers: many ties
    theirs = [rng.integers(0, 4, size=7).astype(float) for _ in range(3)]
    expected = np.mean(
        [scipy_stats.mannwhitneyu(x, y).statistic / 63 for x, y in zip(ours, theirs, strict=True)]
    )
    assert stats.probability_of_improvement(ours, theirs) == pytest.approx(expected, abs=1e-12)


def test_probability_of_improvement_by_hand() -> None:
    ours, theirs = [np.array([1.0, 2.0])], [np.array([2.0, 0.0])]
    assert stats.probability_of_improvement(ours, theirs) == (0 + 1 + 0.5 + 1) / 4


@given(SCORES)
def test_the_statistics_agree_with_each_other(tasks: list[np.ndarray]) -> None:
    others = [task[::-1] + 0.5 for task in tasks]
    forth = stats.probability_of_improvement(tasks, others)
    back = stats.probability_of_improvement(others, tasks)
    assert forth + back == pytest.approx(1.0, abs=1e-12)
    low, high = min(map(np.min, tasks)), max(map(np.max, tasks))
    assert low - 1e-9 <= stats.interquartile_mean(tasks) <= high + 1e-9
    capped = [np.minimum(task, 1.0) for task in tasks]
    assert stats.optimality_gap(tasks) == pytest.approx(1.0 - stats.mean(capped), abs=1e-9)


def test_the_area_under_a_performance_profile_is_the_mean() -> None:
    tasks = [np.array([0.1, 0.5, 0.9]), np.array([0.3, 0.3])]
    thresholds = (np.arange(1000) + 0.5) / 1000
    profile = stats.performance_profile(tasks, thresholds)
    assert profile.mean() == pytest.approx(float(stats.mean(tasks)), abs=1e-3)
    assert np.all(np.diff(profile) <= 0)
    np.testing.assert_allclose(
        stats.performance_profile(tasks, np.array([0.0, 0.3, 0.6, 0.9])),
        [1.0, (2 / 3 + 0) / 2, (1 / 3 + 0) / 2, 0.0],
    )


def test_bootstrap_limits_of_a_mean_are_scipys() -> None:
    scores = np.random.default_rng(1).exponential(size=12)
    ours = stats.bootstrap_interval(stats.mean, [scores], np.random.default_rng(2), resamples=40000)
    theirs = scipy_stats.bootstrap(
        (scores,), np.mean, n_resamples=40000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.015)
    assert ours.high == pytest.approx(theirs.high, abs=0.015)


def test_bootstrap_of_two_runs_has_its_exact_distribution() -> None:
    """Of two runs 0 and 1 the resampled mean is 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4."""
    scores = [np.array([0.0, 1.0])]
    rng = np.random.default_rng(0)
    assert stats.bootstrap_interval(stats.mean, scores, rng, level=0.4) == stats.Interval(
        0.5, 0.5, 0.5
    )
    assert stats.bootstrap_interval(stats.mean, scores, rng) == stats.Interval(0.5, 0.0, 1.0)


def test_stratified_bootstrap_has_the_variance_of_stratified_sampling() -> None:
    """Var of the mean of task means = sum of var_m / R_m / M^2 with the biased var_m (closed form);
    resampling tasks too, or pooling runs of tasks this far apart, would be far wider."""
    rng = np.random.default_rng(5)
    tasks = [rng.normal(100 * m, 1 + m, size=10 + m) for m in range(4)]
    deviation = sqrt(sum(task.var() / task.size for task in tasks)) / 4
    interval = stats.bootstrap_interval(stats.mean, tasks, rng, resamples=20000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.03)


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Percentile intervals of 20 runs on 3 tasks cover a little below 95 %: the biased variance
    alone makes them 1.96 * sqrt(19/20) = 1.91 deviations wide, which covers 94.4 %."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        tasks = [rng.normal(size=20) for _ in range(3)]
        interval = stats.bootstrap_interval(stats.mean, tasks, rng, resamples=500)
        covered += interval.low <= 0.0 <= interval.high
    assert 0.91 <= covered / 400 <= 0.975  # three binomial deviations (1.1 %) around 94.4 %


def test_bootstrap_in_blocks_is_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [np.arange(5.0), np.arange(7.0)]
    whole = stats.bootstrap_interval(stats.mean, tasks, np.random.default_rng(0), resamples=20000)
    monkeypatch.setattr(stats, "_ELEMENTS_AT_ONCE", 12 * 999)
    blocks = stats.bootstrap_interval(stats.mean, tasks, np.random.default_rng(0), resamples=20000)
    assert (blocks.low, blocks.high) == pytest.approx((whole.low, whole.high), abs=0.06)


def test_a_band_is_the_interval_at_every_threshold() -> None:
    tasks = [np.random.default_rng(3).uniform(size=9)]
    thresholds = np.array([0.2, 0.5, 0.8])
    band = stats.bootstrap_band(
        lambda x, w: stats.performance_profile(x, thresholds, w), tasks, np.random.default_rng(1)
    )
    for k, threshold in enumerate(thresholds):
        alone = stats.bootstrap_interval(
            lambda x, w, t=threshold: stats.performance_profile(x, np.array([t]), w)[..., 0],
            tasks,
            np.random.default_rng(1),
        )
        assert (band.estimate[k], band.low[k], band.high[k]) == pytest.approx(
            (alone.estimate, alone.low, alone.high)
        )


def test_the_same_generator_gives_the_same_interval() -> None:
    tasks = [np.arange(6.0)]
    first, second = (
        stats.bootstrap_interval(stats.interquartile_mean, tasks, np.random.default_rng(4))
        for _ in range(2)
    )
    assert first == second


def test_a_single_run_has_an_estimate_and_no_limits() -> None:
    interval = stats.bootstrap_interval(stats.mean, [np.array([0.3])], np.random.default_rng(0))
    assert interval.estimate == 0.3
    assert np.isnan([interval.low, interval.high]).all()


def test_improvement_interval_is_certain_only_when_runs_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    _, apart = stats.contest_intervals([np.array([5.0, 6, 7])], [np.array([1.0, 2])], rng)
    assert apart == stats.Interval(1.0, 1.0, 1.0)
    _, same = stats.contest_intervals([np.arange(9.0)], [np.arange(9.0)], rng)
    assert same.estimate == 0.5
    assert same.low < 0.35 < 0.65 < same.high


def test_difference_interval_has_the_variance_of_a_difference() -> None:
    rng = np.random.default_rng(8)
    ours, theirs = rng.normal(size=30), rng.normal(size=40)
    interval, _ = stats.contest_intervals([ours], [theirs], rng, resamples=20000)
    deviation = sqrt(ours.var() / 30 + theirs.var() / 40)
    assert interval.estimate == pytest.approx(ours.mean() - theirs.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.03)


@pytest.mark.parametrize("trials", [1, 7, 500])
def test_wilson_interval_is_scipys(trials: int) -> None:
    for successes in {0, 1, trials // 2, trials}:
        expected = scipy_stats.binomtest(successes, trials).proportion_ci(0.9, method="wilson")
        interval = stats.wilson_interval(successes, trials, level=0.9)
        assert interval.estimate == successes / trials
        assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_permutation_test_is_scipys_exact_test() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.8, size=6), rng.normal(size=5)
    expected = scipy_stats.permutation_test(
        (ours, theirs),
        lambda x, y, axis: np.abs(x.mean(axis) - y.mean(axis)),
        vectorized=True,
        alternative="greater",
    ).pvalue  # all 462 exchanges
    exact = significance.permutation_test([ours], [theirs], rng)
    assert exact == pytest.approx(expected, abs=1e-12)
    at_random = significance.permutation_test([ours], [theirs], rng, permutations=461)
    assert at_random == pytest.approx(expected, abs=0.07)


def test_permutation_test_of_three_against_three_never_falls_below_a_tenth() -> None:
    """Twenty exchanges, two of them as extreme as complete separation: p = 2/20."""
    rng = np.random.default_rng(0)
    apart = significance.permutation_test([np.array([9.0, 8, 7])], [np.array([1.0, 2, 3])], rng)
    assert apart == pytest.approx(2 / comb(6, 3))


def test_permutation_test_exchanges_labels_within_each_task_only() -> None:
    """Two tasks, two runs each: of 6 * 6 exchanges two keep every difference at its extreme."""
    ours, theirs = [np.array([3.0, 3]), np.array([103.0, 103])], [np.zeros(2), np.full(2, 100.0)]
    p = significance.permutation_test(ours, theirs, np.random.default_rng(0))
    assert p == pytest.approx(2 / 36)


def test_permutation_test_of_many_runs_is_scipys_drawn_one() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.exponential(1.3, size=60), rng.exponential(1.0, size=45)
    expected = scipy_stats.permutation_test(
        (ours, theirs),
        lambda x, y, axis: np.abs(x.mean(axis) - y.mean(axis)),
        vectorized=True,
        alternative="greater",
        n_resamples=20000,
        rng=rng,
    ).pvalue
    ours_says = significance.permutation_test([ours], [theirs], rng)
    assert 0.02 < expected < 0.9
    assert ours_says == pytest.approx(expected, abs=0.015)
    same = np.ones(40)
    assert significance.permutation_test([same], [same], rng) == 1.0


def test_permutation_p_values_are_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(11)
    p = [
        significance.permutation_test(
            [rng.normal(size=8)], [rng.normal(size=8)], rng, permutations=200
        )
        for _ in range(400)
    ]
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def test_holm_by_hand() -> None:
    """Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, never falling: 0.04, 0.06, 0.06, 0.06."""
    assert significance.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert significance.holm([0.7, 0.6]) == [1.0, 1.0]
    assert significance.holm([]) == []


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "no task"),
        ([[]], r"scores\[0\] has shape \(0,\)"),
        ([[1.0], [[1.0]]], r"scores\[1\] has shape \(1, 1\)"),
        ([[float("nan")]], r"scores\[0\] holds nan"),
    ],
)
def test_scores_that_mean_nothing_are_refused(scores: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.bootstrap_interval(stats.mean, scores, np.random.default_rng(0))


def test_levels_and_counts_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"level is 95; expected a share between 0 and 1"):
        stats.bootstrap_interval(stats.mean, [[1.0]], np.random.default_rng(0), level=95)
    with pytest.raises(ValueError, match="5 successes of 4 trials"):
        stats.wilson_interval(5, 4)
    with pytest.raises(ValueError, match="resamples is 0"):
        stats.bootstrap_interval(stats.mean, [[1.0]], np.random.default_rng(0), resamples=0)
