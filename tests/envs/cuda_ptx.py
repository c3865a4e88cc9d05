"""Compiles the fused step to PTX without a GPU; run as a program, since it stands in for a device.

python cuda_ptx.py WORLD_ID...   prints one line of JSON: PTX facts for each world, and a control
"""

import json
import re
import sys
from typing import Any

import numba
import numba.cuda.api
import numba.cuda.dispatcher
from numba import cuda, types

from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.grid.cuda import fused_step
from s2lab.envs.registration import find_world

CAPABILITY = (9, 0)


class Device:
    """What numba asks of a GPU in order to compile for it."""

    compute_capability = CAPABILITY


def contracted_reward(out: Any, s: Any, m: Any) -> None:
    """minigrid's reward as a GPU would compute it."""
    out[0] = 1 - 0.9 * (s / m)


def facts(function: Any, signature: Any) -> dict[str, int]:
    """How long a kernel's PTX is, and what floating-point work it does."""
    ptx, _ = cuda.compile_ptx(function, signature, cc=CAPABILITY)
    lines = ptx.splitlines()
    return {
        "entries": sum(".entry" in line for line in lines),
        "lines": len(lines),
        "fused": len(re.findall(r"\bfma\.\S*f(?:32|64)", ptx)),
        "stores": sum(line.strip().startswith("st.") for line in lines),
    }


def main(world_ids: list[str]) -> None:
    for module in (numba.cuda.dispatcher, numba.cuda.api):
        module.get_current_device = Device
    found = {}
    for world_id in world_ids:
        family, level = find_world(world_id)
        batch = GridBatch(family, level, 2)
        arguments = (batch.worlds, batch.rules, batch.tables, batch.outputs)
        actions = types.Array(types.int64, 1, "C")
        signature = types.void(*map(numba.typeof, arguments), actions, types.int64)
        found[world_id] = facts(fused_step(family), signature)
    number = types.float64
    found["control"] = facts(
        contracted_reward, types.void(types.Array(number, 1, "C"), number, number)
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
