"""Compiles a fused step without a GPU; run as a program, since it stands in for a device.

python cuda_ptx.py   prints one line of JSON: facts of a step that draws random numbers, a control
"""

import ctypes
import importlib.util
import json
import re
from typing import Any

from numba import types

from s2lab.bench.gpu_code import CAPABILITY, FUSED_MULTIPLY_ADD, arguments
from s2lab.envs.grid.cuda import fused_step
from s2lab.envs.grid.cuda_code import assemble, to_ptx
from s2lab.envs.grid.cuda_launch import parameters, type_of
from s2lab.envs.registration import find_world

WORLD = "MiniGrid-Dynamic-Obstacles-5x5-v0"


def contracted_reward(out: Any, s: Any, m: Any) -> None:
    """minigrid's reward as a GPU would compute it."""
    out[0] = 1 - 0.9 * (s / m)


def facts(ptx: str) -> dict[str, Any]:
    """How long a kernel's PTX is, and what floating-point work it does."""
    lines = ptx.splitlines()
    return {
        "entries": sum(".entry" in line for line in lines),
        "fused": len(FUSED_MULTIPLY_ADD.findall(ptx)),
        "stores": sum(line.strip().startswith("st.") for line in lines),
    }


def declared(ptx: str) -> list[int]:
    """Bits of each parameter of the entry."""
    head = ptx[ptx.index(".entry") :].split(")")[0]
    return [int(bits) for bits in re.findall(r"\.param \.\w(\d+)", head)]


def main() -> None:
    family, level = find_world(WORLD)
    given = arguments(level, "fused")
    ptx = to_ptx("step", fused_step(family), types.void(*map(type_of, given)), CAPABILITY)
    found = facts(ptx) | {"declared": declared(ptx)}
    words = [word for argument in given for word in parameters(argument)]
    found["handed"] = [8 * ctypes.sizeof(word) for word in words]
    if importlib.util.find_spec("cuda") is not None:
        cubin, use = assemble(ptx, CAPABILITY)
        found |= {"registers": use.registers, "named": b"\0step\0" in cubin}
    number = types.float64
    signature = types.void(types.Array(number, 1, "C"), number, number)
    control = facts(to_ptx("control", contracted_reward, signature, CAPABILITY))
    print(json.dumps({"step": found, "control": control}))


if __name__ == "__main__":
    main()
