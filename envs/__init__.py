"""Worlds: `make_vec` makes many of one id; importing this registers the ids with gymnasium."""

if __name__ != "s2lab.envs":
    raise ImportError("import s2lab.envs: the bare name would load a second copy of the package")

from s2lab.envs import grid_factors, squares
from s2lab.envs.registration import WORLDS
from s2lab.envs.vector import GridVectorEnv, make_vec

__all__ = ["WORLDS", "GridVectorEnv", "grid_factors", "make_vec", "squares"]
