"""Speed, against peers, in one run: one file per bench, `harness.py` measures and reports.

`bench(quick=...)` of a module hands out what it measured; `BENCHES` names the modules.
"""

BENCHES: dict[str, str] = {
    "cores": "modular cores against the published dense form and torch's LSTM",
    "train": "whole training loops against Stable-Baselines3 and sb3-contrib",
    "babyai": "native BabyAI worlds against minigrid: steps and resets",
    "discover": "causal discovery against gies, pgmpy and our ENCO, and its growth",
    "icf": "controllable features: one seed of each world",
    "envs": "native grid worlds against minigrid and JAX engines",
}
