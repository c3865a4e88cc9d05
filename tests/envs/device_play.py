"""What worlds hand out and leave behind, step by step, whichever device they are on."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from s2lab.envs.batches import MODES, autoreset_mode
from s2lab.envs.device import LAYOUTS, RESETS, Plan
from s2lab.envs.device_vector import DeviceVectorEnv, make_device_batch
from s2lab.envs.registration import WORLDS
from s2lab.envs.vector import GridVectorEnv

Array = npt.NDArray[Any]
NAMES = ("same_step", "next_step", "disabled")
LEFT = 3  # steps that are left of the first episode when playing begins


def smallest_of_each_family() -> list[str]:
    """The id with the smallest grid of every family, MiniGrid's and BabyAI's."""
    found: dict[str, tuple[int, str]] = {}
    for world_id, (family, level) in WORLDS.items():
        size = (level.width * level.height, world_id)
        found[family.name] = min(found.get(family.name, size), size)
    return [world_id for _, world_id in found.values()]


def variant(i: int) -> tuple[str, Plan]:
    """Modes of auto-reset and plans in turn, so that neighbours differ in all of them."""
    layouts = tuple(LAYOUTS)
    plan = Plan(reset=RESETS[i % 2], layout=layouts[i % 3], block=4, renewal_block=2)
    return NAMES[i % 5 % 3], plan


def make_on_device(world_id: str, count: int, mode: str, plan: Plan) -> DeviceVectorEnv:
    """Worlds on the GPU, planned."""
    chosen = autoreset_mode(mode)
    batch = make_device_batch(
        world_id,
        count,
        device="cuda",
        plan=plan,
        mode=MODES[chosen],
        observation="partial",
        view_size=7,
    )
    return DeviceVectorEnv(batch, chosen, copy=True)


def play(worlds: GridVectorEnv, steps: int, near_the_end: bool) -> dict[str, Array]:
    """Everything that `steps` random steps hand out and leave behind.

    Where episodes end and do not begin anew, the ended worlds are reset by a mask. With
    `near_the_end`, the first episodes are about to be cut off.
    """
    kept: dict[str, Array] = {}
    count = worlds.num_envs
    shown, info = worlds.reset(seed=5)
    keep(kept, "reset", {**shown, "events": info["events"]})
    if near_the_end:
        saved = worlds.state_dict()
        state = saved["batch"]["worlds"]
        limits = np.array(worlds.batch.level.limits)
        state["step_count"][:] = limits[state["budget"]] - LEFT
        worlds.load_state_dict(saved)
    rng = np.random.default_rng(1)
    for step in range(steps):
        actions = rng.integers(0, worlds.batch.level.actions, count)
        shown, reward, terminated, truncated, info = worlds.step(actions)
        ends = np.asarray(host(terminated)) | np.asarray(host(truncated))
        handed = {"reward": reward, "terminated": terminated, "truncated": truncated}
        keep(kept, f"{step}", {**shown, **handed, "events": info["events"]})
        if "final_obs" in info and ends.any():
            keep_final(kept, f"{step} final", info, ends)
        if worlds.metadata["autoreset_mode"].name == "DISABLED" and ends.any():
            shown, info = worlds.reset(options={"reset_mask": ends})
            keep(kept, f"{step} masked", {**shown, "events": info["events"]})
        saved = worlds.state_dict()["batch"]
        keep(kept, f"{step} left", {**saved["worlds"], **saved["outputs"]})
    kept["missions"] = np.array([worlds.mission_text(n) for n in range(count)])
    return kept


def keep(kept: dict[str, Array], when: str, fields: dict[str, Any]) -> None:
    """Copies of what was handed out."""
    for name, value in fields.items():
        kept[f"{when} {name}"] = np.array(host(value))


def keep_final(kept: dict[str, Array], when: str, info: dict[str, Any], ends: Array) -> None:
    """The last observations of the episodes that ended, row by row."""
    final, mask = info["final_obs"], np.asarray(host(info["_final_obs"]))
    assert np.array_equal(mask, ends)
    for n in np.flatnonzero(mask):
        by_world = not isinstance(final, dict)
        row = final[n] if by_world else {name: host(field)[n] for name, field in final.items()}
        keep(kept, f"{when} {n}", row)
    events = np.asarray(host(info["final_info"]["events"]))
    keep(kept, when, {"events": np.where(mask, events, 0)})


def host(value: Any) -> Any:
    """A tensor's numbers in the host's memory."""
    return value.cpu().numpy() if hasattr(value, "cpu") else value


def digests(kept: dict[str, Array]) -> dict[str, str]:
    """One hash per field, over all steps in their order: what two machines can compare."""
    found: dict[str, Any] = {}
    for name, array in kept.items():
        field = found.setdefault(name.split(" ", 1)[-1], hashlib.sha256())
        field.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return {name: field.hexdigest()[:16] for name, field in found.items()}


def differences(ours: dict[str, Array], theirs: dict[str, Array]) -> list[str]:
    """Which arrays are not the same, to the bit."""
    if ours.keys() != theirs.keys():
        return sorted(ours.keys() ^ theirs.keys())
    return [
        name
        for name in ours
        if ours[name].dtype != theirs[name].dtype or not np.array_equal(ours[name], theirs[name])
    ]
