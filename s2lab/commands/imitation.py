"""`imitate`: behaviour cloning over demonstrations."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.options import RunOptions, chosen_network
from s2lab.commands.registry import command
from s2lab.commands.training import work_on
from s2lab.config import ImitateConfig, assignments, cloning_config

Options = Annotated[RunOptions, arg(name="")]


@command()
def imitate(
    env: Positional[str],
    /,
    options: Options,
    *,
    demos: Path,
    demo_episodes: int = 0,
    agent: str = "lstm",
    core: tuple[str, ...] = (),
    encoder: tuple[str, ...] = (),
    skip: bool = False,
    cloning: tuple[str, ...] = (),
    validate_every: int = 50_000,
    validation_episodes: int = 500,
    patience: int = 10,
) -> int:
    """Clone the behaviour in demonstrations; fine-tune with `s2lab train ENV --from RUN`.

    Args:
        env: world id of the demonstrations
        options: shared by all runs; --steps counts demonstrated steps, each as often as it is read
        demos: folder of demonstrations (s2lab demos)
        demo_episodes: how many of its episodes to learn from, the first ones; 0 for all
        agent: recurrent core (s2lab list agents)
        core: options of the core, as name=value, such as hidden_size=64
        encoder: settings of the encoder, as name=value: grid=table, convolutions or film
        skip: policy and value read the encoder's features beside the core's outputs
        cloning: settings of behaviour cloning, as name=value: streams, unroll, lr, lr_end,
            entropy_coef, max_grad_norm, slab_steps
        validate_every: demonstrated steps between two validations
        validation_episodes: greedy episodes of a validation
        patience: validations without a better one after which to stop
    """
    from s2lab.imitation import create_imitation

    network = chosen_network(agent, core, encoder, skip)
    learning = cloning_config(assignments("--cloning", cloning))
    configs = [
        ImitateConfig(
            **fields,
            **network,
            demos=str(demos.resolve()),
            demo_episodes=demo_episodes,
            cloning=learning,
            validate_every=validate_every,
            validation_episodes=validation_episodes,
            patience=patience,
        )
        for fields in options.settings(env)
    ]
    return work_on([create_imitation(config, options.runs) for config in configs], options)
