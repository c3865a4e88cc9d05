"""Weights of an earlier run to begin a new one with. Knows no learning."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint
from s2lab.config import TrainConfig, read_config
from s2lab.errors import UserError
from s2lab.run_folder import RunFolder

if TYPE_CHECKING:
    from s2lab.agents.actor_critic import ActorCritic


def network_of(path: Path) -> dict[str, Any]:
    """Agent, core, encoder and skip of a run, as fields of `TrainConfig`.

    Raises:
        UserError: it is no run of an agent of ours.
    """
    config = read_config(RunFolder.open(path))
    if not isinstance(config, TrainConfig):
        raise UserError(f"{path} is a run of {config.label}; --from takes runs of our own agents")
    return {name: getattr(config, name) for name in ("agent", "core", "encoder", "skip")}


def load_features(model: "ActorCritic", path: Path) -> None:
    """Give a network's encoder the controllable features of a run of `train-icf`.

    Raises:
        UserError: no good checkpoint, or features of images of another size.
    """
    from s2lab.agents.encoders.icf_grid import ControllableGrid
    from s2lab.icf import load_icf

    learned = load_icf(path).model.state_dict()
    readers = [part for part in model.encoder.modules() if isinstance(part, ControllableGrid)]
    if not readers:
        raise UserError("grid=icf takes an environment with a grid in its observation")
    for reader in readers:
        own = reader.state_dict()
        if any(learned[name].shape != part.shape for name, part in own.items()):
            raise UserError(
                f"{path} learned on images of {load_icf(path).world.shape}, which are not those "
                "of this environment; train-icf doorkey-8x8 fits s2lab/DoorKeyFactors-8x8-v0"
            )
        reader.load_state_dict({name: learned[name] for name in own})


def load_weights(model: "ActorCritic", path: Path) -> None:
    """Give a network the weights of a run's latest checkpoint.

    Raises:
        UserError: no good checkpoint, or weights that do not fit the world's observations.
    """
    checkpoint.restore(checkpoint.load(RunFolder.open(path).checkpoints), {"model": model})
