"""What `train`, `baseline` and `sweep` are told, and what their words mean. Does no work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import UseAppendAction, arg

from s2lab.config import TrackMode, assignments, encoder_config, ppo_config
from s2lab.errors import UserError
from s2lab.launchers import Launch, Launcher
from s2lab.settings import C, every_combination


@dataclass(frozen=True)
class RunOptions:
    """What `train` and `baseline` share."""

    seeds: tuple[int, ...] = (0,)
    """run seeds, one run each"""
    steps: int = 200_000
    """environment steps per run"""
    preset: str = "quick"
    """PPO settings to start from (s2lab list presets), or a sweep's best.yaml"""
    vary: tuple[str, ...] = ()
    """any settings by their dotted names in config.yaml, as name=value; several values with commas
    between them make a run each, such as core.hidden_size=64,128 ppo.lr=1e-3,1e-4"""
    ppo: tuple[str, ...] = ()
    """PPO settings over the preset's, as name=value (s2lab list ppo)"""
    device: str = "auto"
    """auto, cpu or cuda"""
    track: TrackMode = "offline"
    """Weights & Biases off, offline (inside the run folder) or online"""
    eval_episodes: int = 200
    """unseen episodes to play at the end; 0 for none"""
    runs: Path = Path("runs")
    """folder that receives the run folders"""
    parallel: int | None = None
    """runs at a time on this machine (default: one per CPU core)"""
    launcher: Launcher = "local"
    """where to work: processes of this machine, a SLURM array or a Ray cluster"""
    launch: tuple[str, ...] = ()
    """options of slurm (partition, timeout_min, cpus, gpus, mem_gb, at_once, account, setup) or of
    ray (cpus, gpus, mem_gb, retries), as name=value"""
    ray_address: str = "auto"
    """head of the Ray cluster, as host:port"""
    imports: Annotated[UseAppendAction[tuple[str, ...]], arg(name="import")] = ()
    """package to import first because it registers environments; may be repeated"""
    quiet: bool = False
    """no progress"""
    json: bool = False
    """print the runs and their results as JSON"""

    def settings(self, env: str) -> list[dict[str, Any]]:
        """The fields of every seed's configuration.

        Raises:
            UserError: a count, preset, setting or device that will not do.
        """
        if self.parallel is not None and not 1 <= self.parallel <= 4096:
            raise UserError(f"--parallel must be between 1 and 4096, got {self.parallel}")
        self.chosen_launch()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UserError(f"--seeds must name at least one seed and none twice, got {self.seeds}")
        same = {
            "env": env,
            "steps": self.steps,
            "ppo": ppo_config(self._preset(), assignments("--ppo", self.ppo)),
            "imports": self.imports,
            "device": resolve_device(self.device),
            "eval_episodes": self.eval_episodes,
        }
        return [{**same, "seed": seed} for seed in self.seeds]

    def varied(self, configs: Sequence[C]) -> list[C]:
        """Every configuration with every combination of what varies.

        Raises:
            UserError: an unknown setting, or values that do not go together.
        """
        words = assignments("--vary", self.vary)
        return [made for config in configs for made in every_combination(config, words)]

    def _preset(self) -> "str | dict[str, Any]":
        if not self.preset.endswith((".yaml", ".yml")):
            return self.preset
        from s2lab.sweep_results import read_preset

        return read_preset(Path(self.preset))

    def chosen_launch(self) -> Launch:
        """The launcher and its options.

        Raises:
            UserError: an option that the launcher does not have.
        """
        words = assignments("--launch", self.launch)
        return Launch.parse(self.launcher, words, self.ray_address)


Options = Annotated[RunOptions, arg(name="")]


def chosen_network(
    agent: str, core: tuple[str, ...], encoder: tuple[str, ...], skip: bool
) -> dict[str, Any]:
    """Words of the command line as fields of `TrainConfig`."""
    chosen = {name: parse_value(text) for name, text in assignments("--core", core).items()}
    reader = encoder_config(assignments("--encoder", encoder))
    return {"agent": agent, "core": chosen, "encoder": reader, "skip": skip}


def chosen_options(options: RunOptions, algo: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Arguments of SB3's algorithm: the preset's, and over them those of the command line."""
    from s2lab.algorithms import PRESET_OPTIONS

    chosen = dict(PRESET_OPTIONS.get(options.preset, {}).get(algo, {}))
    named = assignments("--option", words).items()
    return chosen | {name: parse_value(text) for name, text in named}


def parse_value(text: str) -> bool | int | float | str:
    """A core's option from the command line."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def resolve_device(device: str) -> str:
    """`auto` becomes what this machine has."""
    from s2lab.session import check_device

    return check_device(device)
