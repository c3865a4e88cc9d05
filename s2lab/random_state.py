"""Random streams as one part of a checkpoint. Knows no seeds: `seeds` says where streams begin."""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch


class RandomState:
    """Named generators of torch and numpy, and the process-wide streams foreign code draws from.

    `RandomState({"policy": torch_generator, "minibatch": numpy_generator})`.
    """

    def __init__(
        self, generators: "Mapping[str, torch.Generator | np.random.Generator] | None" = None
    ) -> None:
        self.generators = dict(generators or {})

    def state_dict(self) -> dict[str, Any]:
        """Every stream's position; torch's as uint8 tensors on the CPU."""
        import numpy as np
        import torch

        process = {
            "python": random.getstate(),
            "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 - SB3 draws from it
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        named = {
            name: stream.get_state()
            if isinstance(stream, torch.Generator)
            else stream.bit_generator.state
            for name, stream in self.generators.items()
        }
        return {"process": process, "generators": named}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Put every stream back. Raises KeyError or ValueError when they are not the same ones."""
        import numpy as np
        import torch

        named, process = state_dict["generators"], state_dict["process"]
        if set(named) != set(self.generators):
            raise ValueError(f"saved streams {sorted(named)}, ours {sorted(self.generators)}")
        for name, stream in self.generators.items():
            if isinstance(stream, torch.Generator):
                stream.set_state(named[name])
            else:
                stream.bit_generator.state = named[name]
        random.setstate(process["python"])
        np.random.set_state(process["numpy"])  # noqa: NPY002 - SB3 draws from it
        torch.set_rng_state(process["torch"])
        if process["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(process["cuda"])
