"""Words against every mission that the minigrid package utters."""

import contextlib
import io
import warnings

import gymnasium
import minigrid  # noqa: F401
import pytest

from s2lab.envs import vocabulary

# minigrid 3.2.0 ships its WFC worlds without the pattern images that they need.
IDS = sorted(
    name
    for name, spec in gymnasium.registry.items()
    if str(spec.entry_point).startswith("minigrid.") and "WFC" not in name
)


def test_all_of_minigrids_ids_are_asked() -> None:
    assert len(IDS) == 82 + 96 - 6  # minigrid 3.2.0's two prefixes, less six of WFC


@pytest.mark.parametrize("env_id", IDS)
def test_every_minigrid_mission_survives_encoding_and_decoding(env_id: str) -> None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        env = gymnasium.make(env_id)
        for seed in range(3):
            mission = str(env.reset(seed=seed)[0]["mission"])
            tokens = vocabulary.encode(mission, 80)
            assert vocabulary.UNKNOWN not in tokens
            assert vocabulary.decode(tokens) == mission


def test_unlisted_words_share_one_id_and_padding_is_zero() -> None:
    assert vocabulary.encode("go gargle", 4)[1:].tolist() == [vocabulary.UNKNOWN, 0, 0]


def test_no_word_is_listed_twice() -> None:
    assert len(set(vocabulary.words())) == len(vocabulary.words())
