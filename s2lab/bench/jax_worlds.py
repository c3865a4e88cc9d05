"""The same worlds in JAX engines, where installed: navix and XLand-MiniGrid. Knows no timing.

Both are given minigrid's limits of steps and a view from the agent, and do less work: neither hides
what walls occlude, and XLand-MiniGrid's observation has two channels and no carried object.

"The best JAX engine" is the faster one of those that show what ours shows in the same row: the
observation is the larger part of a step, so that engines that show different cells do different
work. Agents here are trained on the view, as minigrid's are; that is the comparison that counts.
navix's default shows the whole grid instead, which saves it the view and in a small grid is nearly
a copy of its state. It is measured as well, beside ours with the whole grid in view, in rows of its
own.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Work = Callable[[], object]

NAVIX = {
    "MiniGrid-Empty-8x8-v0": "Navix-Empty-8x8-v0",
    "MiniGrid-DoorKey-8x8-v0": "Navix-DoorKey-8x8-v0",
    "MiniGrid-FourRooms-v0": "Navix-FourRooms-v0",
}
XMINIGRID = {
    "MiniGrid-Empty-8x8-v0": "MiniGrid-Empty-8x8",
    "MiniGrid-DoorKey-8x8-v0": "MiniGrid-DoorKey-8x8",
    "MiniGrid-FourRooms-v0": "MiniGrid-FourRooms",
}


def navix_work(
    world_id: str, count: int, steps: int, view: str = "symbolic_first_person"
) -> Work | None:
    """`steps` random steps of `count` navix worlds; None where navix or the world is missing."""
    if find_spec("navix") is None or world_id not in NAVIX:
        return None
    navix: Any = import_module("navix")
    from s2lab.envs.registration import find_world

    env: Any = navix.make(
        NAVIX[world_id],
        max_steps=find_world(world_id)[1].max_steps,
        observation_fn=getattr(navix.observations, view),
    )
    return _scan(env.reset, env.step, count, steps, actions=7)


def xminigrid_work(world_id: str, count: int, steps: int) -> Work | None:
    """`steps` random steps of `count` XLand-MiniGrid worlds; None where they are missing."""
    if find_spec("xminigrid") is None or world_id not in XMINIGRID:
        return None
    xminigrid: Any = import_module("xminigrid")
    wrappers: Any = import_module("xminigrid.wrappers")
    from s2lab.envs.registration import find_world

    env, params = xminigrid.make(XMINIGRID[world_id])
    params = params.replace(max_steps=find_world(world_id)[1].max_steps)
    env = wrappers.GymAutoResetWrapper(env)
    return _scan(
        lambda key: env.reset(params, key),
        lambda state, action: env.step(params, state, action),
        count,
        steps,
        actions=6,
    )


def _scan(reset: Any, step: Any, count: int, steps: int, actions: int) -> Work:
    """One compiled call of many steps of many worlds, every observation summed up and so needed."""
    jax: Any = import_module("jax")
    jnp: Any = import_module("jax.numpy")

    def advance(carry: Any, key: Any) -> Any:
        state, total = carry
        chosen = jax.random.randint(key, (count,), 0, actions)
        state = jax.vmap(step)(state, chosen)
        seen = jax.tree_util.tree_leaves(state.observation)
        return (state, total + sum(leaf.astype(jnp.int32).sum() for leaf in seen)), None

    @jax.jit  # type: ignore[untyped-decorator]  # as Any, like all of a peer
    def run(state: Any, key: Any) -> Any:
        start = (state, jnp.int32(0))
        return jax.lax.scan(advance, start, jax.random.split(key, steps))[0]

    key = jax.random.PRNGKey(0)
    state = jax.jit(jax.vmap(reset))(jax.random.split(key, count))

    def work() -> None:
        nonlocal state
        state, total = run(state, key)
        total.block_until_ready()

    for _ in range(2):  # the types of a carried state can differ from those of the first one
        work()
    return work


# Name of an engine -> what makes its work, and the observation of ours that shows the same cells.
JAX_ENGINES: dict[str, tuple[Callable[[str, int, int], Work | None], str]] = {
    "navix": (navix_work, "partial"),
    "navix, the whole grid in view, its default": (partial(navix_work, view="symbolic"), "full"),
    "XLand-MiniGrid": (xminigrid_work, "partial"),
}
