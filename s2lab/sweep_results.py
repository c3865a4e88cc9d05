"""What a sweep leaves behind: the best settings as a preset, a page, and W&B's own form of it."""

import math
import shlex
import warnings
from pathlib import Path
from typing import Any

from s2lab import __version__, durable
from s2lab.config import BaselineConfig, TrainConfig, read_config
from s2lab.errors import UserError
from s2lab.report import write_report
from s2lab.reporting.sweep_page import Tried, finite, sweep_sections
from s2lab.run_folder import RunFolder
from s2lab.sweep import Plan, load_optuna
from s2lab.sweep_trials import CURVES
from s2lab.words import words_of


def write_results(study: Any, plan: Plan, folder: Path) -> list[Path]:
    """best.yaml, report.html and wandb.yaml; returns the files that could be made.

    Raises:
        UserError: a file cannot be written.
    """
    tried = read_trials(study, plan)
    judged = [each for each in tried if math.isfinite(each.score)]
    written = [_write(folder / "wandb.yaml", to_wandb(plan))]
    command = ""
    if judged:
        best = max(judged, key=lambda each: each.score)
        run = RunFolder.open(folder / "runs" / best.run_id)
        preset = _write(folder / "best.yaml", {"score": best.score, **run.config})
        command = best_command(plan, run, preset)
        written.append(preset)
    written.append(
        write_report(
            folder / "report.html",
            title=f"Sweep of {plan.base.label} in {plan.base.env}",
            subtitle=", ".join(dimension.name for dimension in plan.space),
            sections=sweep_sections(tried, plan.space, importance(study), plan.metric, command),
            footer=f"s2lab {__version__}",
        )
    )
    return written


def sweep_record(study: Any, plan: Plan) -> dict[str, Any]:
    """What was found, for `--json`."""
    tried = read_trials(study, plan)
    judged = [each for each in tried if math.isfinite(each.score)]
    best = max(judged, key=lambda each: each.score, default=None)
    return {
        "format": 1,
        "metric": plan.metric,
        "best": None if best is None else best.to_json(),
        "importance": importance(study),
        "trials": [each.to_json() for each in tried],
    }


def read_trials(study: Any, plan: Plan) -> list[Tried]:
    """Every trial of the plan, in order."""
    return [
        Tried(
            trial.number,
            str(trial.user_attrs.get("run", "")),
            trial.state.name.lower(),
            dict(trial.params),
            finite(trial.value if trial.state.name == "COMPLETE" else None),
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.number < plan.trials
    ]


def importance(study: Any) -> dict[str, float]:
    """Share of each setting; empty where too few trials tell."""
    optuna = load_optuna()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the evaluator is called experimental
            found = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
    except (ValueError, RuntimeError, ZeroDivisionError):
        return {}
    return {name: float(share) for name, share in found.items() if math.isfinite(share)}


def best_command(plan: Plan, run: RunFolder, preset: Path) -> str:
    """The words that train the best run's settings again, on seeds that the sweep has not seen."""
    config = read_config(run)
    assert isinstance(config, TrainConfig | BaselineConfig)
    words = ["s2lab", *words_of(config, preset)]
    seeds = [str(plan.base.seed + k) for k in range(1, 6)]
    return shlex.join([*(words if words[-1] != "--vary" else words[:-1]), "--seeds", *seeds])


def to_wandb(plan: Plan) -> dict[str, Any]:
    """W&B's sweep configuration: `wandb sweep wandb.yaml`, then `wandb agent ID` anywhere."""
    assert isinstance(plan.base, TrainConfig | BaselineConfig)
    verb, *words = words_of(plan.base)
    said = [verb, words[0], "--seeds", str(plan.base.seed), "--track", "online", *words[1:]]
    form: dict[str, Any] = {
        "name": f"{plan.base.label} in {plan.base.env}",
        "program": "s2lab",
        "method": {"tpe": "bayes", "random": "random"}[plan.sampler],
        "metric": {"name": CURVES[plan.metric], "goal": "maximize"},
        "parameters": {dimension.name: dimension.to_wandb() for dimension in plan.space},
        "run_cap": plan.trials,
        "command": ["s2lab", *said, "${args_no_hyphens}"],
    }
    if plan.pruner != "none":
        form["early_terminate"] = {"type": "hyperband", "min_iter": 4}
    return form


def read_preset(path: Path) -> dict[str, Any]:
    """PPO settings from a best.yaml or any config.yaml.

    Raises:
        UserError: no file, or one without a table `ppo`.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return dict(found["ppo"])
    except OSError as error:
        raise UserError(f"cannot read the preset {path}: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, UnicodeDecodeError):
        raise UserError(
            f"{path} is no preset: it needs a table `ppo`, as a run's config.yaml has"
        ) from None


def _write(path: Path, content: dict[str, Any]) -> Path:
    import yaml

    try:
        durable.replace(path, yaml.safe_dump(content, sort_keys=False).encode())
    except OSError as error:
        raise durable.cannot_write(path, error, "free some space and sweep again") from error
    return path
