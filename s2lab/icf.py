"""Learning controllable features as a run: run folder, tracker, checkpoints, resume, scores.

Knows no objective.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint, seeds
from s2lab.config import TrackMode
from s2lab.errors import UserError
from s2lab.icf_settings import ICFRunConfig, read_icf_run
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome, Session, check_device, last_checkpoint

if TYPE_CHECKING:
    from s2lab.agents.encoders.icf_learner import ICFLearner

PICTURE = "features.png"


def create_icf(config: ICFRunConfig, runs: Path = Path("runs")) -> RunFolder:
    """Check everything that can be checked before work begins, then make the run folder.

    Raises:
        UserError: settings that do not fit the world, a device that is not there.
    """
    make_learner(config)
    return RunFolder.create(
        runs,
        env_id=config.env,
        agent=config.label,
        seed=config.seed,
        kind="icf",
        config=config.to_dict(),
    )


def make_learner(config: ICFRunConfig, device: str | None = None) -> "ICFLearner":
    """The learner at its beginning.

    Raises:
        UserError: images that the network cannot read, a device that is not there.
    """
    from s2lab.agents.encoders.icf_learner import ICFLearner
    from s2lab.envs.controllable import make_controllable

    try:
        return ICFLearner(
            make_controllable(config.env),
            config.icf,
            seeds.generator(config.seed, "data"),
            seeds.torch_seed(config.seed),
            check_device(device or config.device),
        )
    except ValueError as error:
        raise UserError(str(error)) from None


def run_icf(
    run: RunFolder, config: ICFRunConfig, *, track: TrackMode = "off", quiet: bool = False
) -> Outcome:
    """Learn, or go on learning, until the updates are done; then score and draw."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    saved = last_checkpoint(run)
    learner = make_learner(config)
    parts: dict[str, checkpoint.Stateful] = {"model": learner.model, "learner": learner}
    with Session(run, config, track=track, quiet=quiet, saved=saved) as session:
        if saved:
            checkpoint.restore(saved, parts)
        while learner.update_count < config.steps and not session.stop.requested:
            terms = learner.update()
            session.advance(learner.update_count, ())
            if session.due():
                losses = {f"train/{name}": float(term) for name, term in terms.items()}
                _check_finite(losses, learner.update_count)
                session.log(losses, always=True)
            session.save(parts)
        outcome = session.finish(parts)
        if outcome.status == "finished":
            write_scores(run, learner)
    return outcome


def write_scores(run: RunFolder, learner: "ICFLearner") -> dict[str, Any]:
    """Scores into features.json and the summary, the paper's heat maps beside them."""
    from s2lab.icf_picture import draw
    from s2lab.icf_scores import judge

    found = judge(learner)
    run.write_json("features.json", found)
    run.write_summary({"features": found})
    draw(learner, run.path / PICTURE)
    return found


def load_icf(path: Path, which: str = "latest") -> "ICFLearner":
    """The learner of a run with its trained network, on the CPU.

    Raises:
        UserError: it is a run of another kind, or has no good checkpoint.
    """
    run = RunFolder.open(path)
    learner = make_learner(read_icf_run(run), "cpu")
    saved = checkpoint.load(run.checkpoints, which)
    checkpoint.restore(saved, {"model": learner.model})
    learner.update_count = saved.step
    return learner


def _check_finite(losses: dict[str, float], step: int) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise UserError(f"{name} became {value} at update {step}; lower --set lr=...")
