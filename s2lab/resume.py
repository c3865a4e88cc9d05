"""Going on with a run, whatever trained it; one without a checkpoint starts from the beginning."""

from pathlib import Path

from s2lab.config import BaselineConfig, ImitateConfig, TrackMode, TrainConfig, read_config
from s2lab.errors import UserError
from s2lab.icf_settings import ICFRunConfig
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome


def resume_run(path: Path, *, track: TrackMode = "off", quiet: bool = False) -> Outcome:
    """Train until the budget of the run is spent.

    Raises:
        UserError: not a run, a finished run, damaged checkpoints, an environment that is gone.
    """
    run = RunFolder.open(path)
    if run.summary.get("status") == "finished":
        raise UserError(
            f"{path} is finished; train it again with more --steps, or s2lab eval {path}"
        )
    config = read_config(run)
    if isinstance(config, ImitateConfig):
        from s2lab.imitation import run_imitation

        return run_imitation(run, config, track=track, quiet=quiet)
    if isinstance(config, TrainConfig):
        from s2lab.training import run_training

        return run_training(run, config, track=track, quiet=quiet)
    if isinstance(config, ICFRunConfig):
        from s2lab.icf import run_icf

        return run_icf(run, config, track=track, quiet=quiet)
    from s2lab.baselines import run_baseline

    assert isinstance(config, BaselineConfig), "the last kind"
    return run_baseline(run, config, track=track, quiet=quiet)
