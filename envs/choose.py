"""The best worlds that exist for an id: the native engine's, else the id's own package's.

Both show the same observations, so that an agent trained on one can act on the other. Knows no
learning.
"""

from typing import Any

from gymnasium.vector import AutoresetMode, VectorEnv

from s2lab.envs.external import make_external_vec
from s2lab.envs.grid_factors import IDS, make_factor_vec
from s2lab.envs.registration import SHIFTED, WORLDS
from s2lab.envs.vector import make_vec


def is_native(env_id: str) -> bool:
    """Whether the engine in `grid/` has this id."""
    return env_id in WORLDS or env_id in SHIFTED


def vector_worlds(
    env_id: str,
    num_envs: int,
    autoreset: AutoresetMode = AutoresetMode.SAME_STEP,
    device: str = "cpu",
) -> VectorEnv[Any, Any, Any]:
    """`num_envs` worlds; their observations may be live buffers, valid until the next step.

    With `device="cuda"` native worlds live on the GPU where the extra `cuda` is installed: then
    observations are tensors there, and everything else comes to the host.
    """
    if env_id in IDS:
        return make_factor_vec(env_id, num_envs, autoreset, copy=False)
    if not is_native(env_id):
        return make_external_vec(env_id, num_envs, autoreset)
    if device != "cpu":
        from s2lab.envs.device import missing
        from s2lab.envs.device_host import HostEnds

        if missing() is None:
            return HostEnds(
                make_vec(env_id, num_envs, autoreset=autoreset, device=device, copy=False)
            )
    return make_vec(env_id, num_envs, autoreset=autoreset, copy=False)
