"""Speed, against peers, in one run: one file per bench, `harness.py` measures and reports.

`rows(runs)` of a bench's module yields what it measured; `BENCHES` names the benches.
"""

BENCHES: dict[str, str] = {
    "envs": "native grid worlds against minigrid and JAX engines",
}
