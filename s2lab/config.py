"""What a run is told: frozen settings and named presets. Loads no torch and touches no files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from s2lab.agents.cloning_config import CloningConfig
from s2lab.agents.encoders.config import EncoderConfig, GridEncoder
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.agents.ppo_config import PPOConfig
from s2lab.errors import UserError, unknown
from s2lab.presets import PRESETS
from s2lab.run_folder import RunFolder
from s2lab.seeds import world_seeds

TrackMode = Literal["off", "offline", "online"]


@dataclass(frozen=True)
class RunConfig:
    """What every run on an environment has."""

    env: str
    """A gymnasium id, verbatim."""
    seed: int = 0
    """Run seed; worlds, weights and actions derive from it through `seeds.py`."""
    steps: int = 200_000
    """Environment steps to train for, summed over worlds."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
    """Settings of PPO."""
    imports: tuple[str, ...] = ()
    """Packages to import first because they register environments."""
    device: str = "cpu"
    """Where the network lives: cpu or cuda."""
    log_every: int = 5_000
    """Environment steps between two lines of metrics.jsonl."""
    save_every: int = 50_000
    """Environment steps between two checkpoints."""
    eval_episodes: int = 200
    """Unseen episodes played with the sampled policy when the budget is spent; 0 for none."""

    def __post_init__(self) -> None:
        for name in ("steps", "log_every", "save_every"):
            if not 0 < getattr(self, name) <= 10**12:
                raise UserError(
                    f"{name} must be between 1 and 1_000_000_000_000, got {getattr(self, name)}"
                )
        if not 0 <= self.eval_episodes <= 1_000_000:
            raise UserError(
                f"eval_episodes must be between 0 and 1_000_000, got {self.eval_episodes}"
            )
        world_seeds(self.seed, self.ppo.num_envs)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for config.yaml."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def group(self) -> str:
        """Environment, agent and a hash of everything but the seed: what runs to average share."""
        same = {key: value for key, value in self.to_dict().items() if key != "seed"}
        digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
        return f"{self.env} {self.label} {digest[:8]}"

    @property
    def label(self) -> str:
        """The agent's name in folders, tables and pictures."""
        raise NotImplementedError


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """A run of our own recurrent PPO."""

    agent: str = "lstm"
    """Recurrent core (s2lab list agents)."""
    core: Mapping[str, Any] = field(default_factory=dict)
    """Options of the core, such as hidden_size."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """How observations are read."""
    skip: bool = False
    """The policy and value heads read the encoder's features beside the core's outputs."""
    bf16: bool = False
    """Matrix products in bfloat16; the first losses must agree with single precision to 2e-2."""
    compiled: bool = False
    """torch.compile, with CUDA graphs on a GPU; the first losses must agree with eager to 1e-4."""
    start: str = ""
    """Run folder whose weights to begin with; empty for the seed's own initial weights."""

    @property
    def label(self) -> str:
        """The core's name."""
        return self.agent


@dataclass(frozen=True)
class ImitateConfig(TrainConfig):
    """A run of behaviour cloning; `steps` counts demonstrated steps, each as often as it is read,
    and `ppo` means nothing."""

    demos: str = ""
    """Folder of demonstrations (s2lab demos)."""
    demo_episodes: int = 0
    """How many of its episodes to learn from, the first ones; 0 for all."""
    cloning: CloningConfig = field(default_factory=CloningConfig)
    """Settings of behaviour cloning."""
    validate_every: int = 50_000
    """Demonstrated steps between two validations."""
    validation_episodes: int = 500
    """Episodes of a validation, greedy, in worlds that neither training nor evaluation uses."""
    patience: int = 10
    """Validations without a better one after which to stop."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("validate_every", "validation_episodes", "patience"):
            if not 0 < getattr(self, name) <= 10**9:
                raise UserError(
                    f"{name} must be between 1 and 1_000_000_000, got {getattr(self, name)}"
                )
        if self.demo_episodes < 0:
            raise UserError(f"demo_episodes must not be negative, got {self.demo_episodes}")

    @property
    def label(self) -> str:
        """Such as lstm-imitation."""
        return f"{self.agent}-imitation"


@dataclass(frozen=True)
class BaselineConfig(RunConfig):
    """A run of a Stable-Baselines3 algorithm."""

    algo: str = "ppo"
    """Algorithm (s2lab list baselines)."""
    network: Literal["same", "default"] = "same"
    """`same`: our observation encoder in front; `default`: what SB3 chooses by itself."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """How observations are read, with `same`."""
    backend: Literal["native", "minigrid"] = "native"
    """`native`: our engine where it has the world; `minigrid`: the world's own package."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of SB3's algorithm over those that follow from `ppo`, such as buffer_size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder.grid == "icf":
            raise UserError("encoder grid=icf is for our own agents: s2lab train")

    @property
    def label(self) -> str:
        """Such as sb3-ppo or sb3-ppo-default."""
        return f"sb3-{self.algo}" + ("" if self.network == "same" else "-default")


KINDS: dict[str, type[TrainConfig] | type[BaselineConfig]] = {
    "train": TrainConfig,
    "baseline": BaselineConfig,
    "imitate": ImitateConfig,
}


def read_config(run: RunFolder) -> RunConfig:
    """The settings that a run folder was made with.

    Raises:
        UserError: a kind, field or value that this version does not know.
    """
    from s2lab.icf_settings import ICFRunConfig

    path = run.path / "config.yaml"
    kind = str(run.summary.get("kind"))
    kinds: dict[str, type[RunConfig]] = {**KINDS, "icf": ICFRunConfig}
    if kind not in kinds:
        raise UserError(f"{run.path} is a run of kind {kind!r}; expected {', '.join(kinds)}")
    settings = run.config
    known = {entry.name for entry in fields(kinds[kind])}
    for name in settings:
        if name not in known:
            raise UserError(f"{path}: unknown field {name!r}; a newer s2lab may have written it")
    try:
        settings["ppo"] = PPOConfig(**settings.get("ppo", {}))
        if kind == "icf":
            settings["icf"] = ICFConfig(**settings.get("icf", {}))
        else:
            settings["encoder"] = EncoderConfig(**settings.get("encoder", {}))
        if kind == "imitate":
            settings["cloning"] = CloningConfig(**settings.get("cloning", {}))
        settings["imports"] = tuple(settings.get("imports", ()))
        return kinds[kind](**settings)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None


def ppo_config(preset: str | Mapping[str, Any], overrides: Mapping[str, str]) -> PPOConfig:
    """The preset, by name or as settings, with `name=value` overrides.

    Raises:
        UserError: an unknown preset or field, or a value that is no number or out of range.
    """
    if isinstance(preset, str) and preset not in PRESETS:
        raise unknown("preset", preset, PRESETS, "s2lab list presets")
    known = {entry.name: entry for entry in fields(PPOConfig)}
    settings = dict(PRESETS[preset] if isinstance(preset, str) else preset)
    for name, text in overrides.items():
        if name not in known:
            raise unknown("PPO setting", name, known, "s2lab list ppo")
        settings[name] = _parse(name, text, known[name].type)
    try:
        return PPOConfig(**settings)
    except (TypeError, ValueError) as error:
        raise UserError(f"PPO setting {error}") from None


def cloning_config(overrides: Mapping[str, str]) -> CloningConfig:
    """Behaviour cloning's defaults with `name=value` overrides.

    Raises:
        UserError: an unknown field, or a value that will not do.
    """
    known = {entry.name: entry for entry in fields(CloningConfig)}
    settings: dict[str, Any] = {}
    for name, text in overrides.items():
        if name not in known:
            raise unknown("cloning setting", name, known, "s2lab imitate --help")
        settings[name] = _parse(name, text, known[name].type)
    try:
        return CloningConfig(**settings)
    except ValueError as error:
        raise UserError(f"cloning setting {error}") from None


def encoder_config(overrides: Mapping[str, str]) -> EncoderConfig:
    """The encoder's defaults with `name=value` overrides.

    Raises:
        UserError: an unknown field, or a value that will not do.
    """
    known = {entry.name: entry for entry in fields(EncoderConfig)}
    settings: dict[str, Any] = {}
    for name, text in overrides.items():
        if name not in known or name == "icf":
            raise unknown("encoder setting", name, known, "s2lab train --help")
        settings[name] = (
            text if known[name].type in (str, GridEncoder) else _parse(name, text, known[name].type)
        )
    if "icf_run" in settings:
        from s2lab.icf_settings import read_icf_run

        settings["icf"] = read_icf_run(RunFolder.open(Path(settings["icf_run"]))).icf
        settings.setdefault("grid", "icf")
    try:
        return EncoderConfig(**settings)
    except ValueError as error:
        raise UserError(str(error)) from None


def _parse(name: str, text: str, kind: Any) -> Any:
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        allowed = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise UserError(f"setting {name} must be {allowed}, got {text!r}") from None


def assignments(flag: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """`name=value` words from the command line as a dictionary."""
    for pair in pairs:
        if "=" not in pair:
            raise UserError(f"{flag} takes name=value words, got {pair!r}: {flag} lr=0.001")
    return dict(pair.split("=", 1) for pair in pairs)
