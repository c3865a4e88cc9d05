"""The settings of the observation encoder. Loads no torch, so that a command line can show them."""

from dataclasses import dataclass
from typing import Literal, get_args

from s2lab.agents.encoders.icf_config import ICFConfig

GridEncoder = Literal["table", "convolutions", "film", "icf"]


@dataclass(frozen=True)
class EncoderConfig:
    """Kind and widths of the encoder."""

    grid: GridEncoder = "table"
    """How a symbolic grid is read. `table`: a weight for every code at every cell, one layer;
    `convolutions`: embeddings and two convolutions; `film`: BabyAI 1.1's convolutions, modulated by
    the mission; `icf`: controllable features that another run has learned. `s2lab bench train`
    times the first three beside each other."""
    cell_size: int = 16
    """Width of the embedding of one grid cell, of convolutions and film; BabyAI 1.1 uses 128."""
    channels: int = 16
    """Channels of the convolutions over grid cells; BabyAI 1.1 uses 128."""
    mission_size: int = 32
    """Width of the mission's GRU; BabyAI 1.1 uses 128."""
    bare_floor: bool = False
    """With `table`, an empty cell adds nothing to the features, and every other cell what it
    differs by: a view is mostly floor, whose weights otherwise move with every gradient step."""
    without_mission: bool = False
    """Leave the mission out: for worlds whose mission is always the same sentence, which adds the
    same numbers to all features and moves them all with every gradient step."""
    feature_size: int = 64
    """Width of the vector that the core receives. 128 learned no faster on GoToRedBallGrey and
    DoorKey-8x8, and a core's time grows with it."""

    icf_run: str = ""
    """Run folder of `s2lab train-icf` whose features to begin with, for `icf`."""
    icf_frozen: bool = True
    """Leave those features as they are."""
    icf: ICFConfig | None = None
    """That run's settings, so that the network can be made without its folder."""

    def __post_init__(self) -> None:
        if isinstance(self.icf, dict):  # from config.yaml
            object.__setattr__(self, "icf", ICFConfig(**self.icf))
        if (self.grid == "icf") != (self.icf is not None):
            raise ValueError("encoder settings grid=icf and icf_run=RUN go together; give both")
        if self.grid not in get_args(GridEncoder):
            allowed = ", ".join(get_args(GridEncoder))
            raise ValueError(f"encoder setting grid is {self.grid!r}; give one of {allowed}")
        for name in ("cell_size", "channels", "mission_size", "feature_size"):
            value = getattr(self, name)
            if not value >= 1:
                raise ValueError(f"encoder setting {name} must be above 0, got {value}")
