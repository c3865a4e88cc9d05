"""Encoders and action heads against torch's own pieces and SB3's preprocessing."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy import stats
from stable_baselines3.common.preprocessing import preprocess_obs
from torch.distributions import Categorical, Normal

from s2lab.agents.actions import CategoricalHead, GaussianHead, action_head
from s2lab.agents.encoders.cell_table import CellTable
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.mission import Mission, distinct_rows
from s2lab.agents.encoders.observation import ObservationEncoder, field_encoder
from s2lab.agents.encoders.symbolic_grid import FilmBlock, SymbolicGrid
from s2lab.agents.sb3 import EncoderExtractor, as_shown

CONFIG = EncoderConfig()
EVERYTHING = spaces.Dict(
    {
        "image": spaces.Box(0, 10, (7, 7, 3), np.uint8),
        "direction": spaces.Discrete(4),
        "mission": spaces.Box(0, 57, (12,), np.int16),
        "buttons": spaces.MultiBinary(3),
        "dials": spaces.MultiDiscrete([3, 2]),
        "speed": spaces.Box(-1, 1, (2, 2), np.float32),
    }
)


def batch(space: spaces.Dict, size: int) -> dict[str, torch.Tensor]:
    space.seed(0)
    rows = [space.sample() for _ in range(size)]
    return {name: torch.as_tensor(np.stack([row[name] for row in rows])) for name in space.spaces}


def test_a_cell_is_the_sum_of_its_type_colour_and_state() -> None:
    torch.manual_seed(0)
    grid = SymbolicGrid((7, 7, 3), CONFIG)
    image = torch.randint(0, 6, (2, 7, 7, 3), dtype=torch.uint8)
    table = grid.cells.embedding.weight
    cells = torch.zeros(2, CONFIG.cell_size, 7, 7)
    for b, x, y in np.ndindex(2, 7, 7):
        kind, colour, state = image[b, x, y].tolist()
        cells[b, :, x, y] = table[kind] + table[11 + colour] + table[22 + state]
    maps = torch.relu(grid.second(torch.relu(grid.first(cells))))
    torch.testing.assert_close(grid(image), maps.flatten(1))


def random_codes(size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 11, (size, 4, 3, 3), dtype=torch.uint8, generator=generator)


def test_the_cell_table_is_a_linear_layer_on_one_hot_codes() -> None:
    torch.manual_seed(0)
    table = CellTable((4, 3, 3), 5).double()
    image = random_codes(7)
    expected = torch.zeros(7, 5, dtype=torch.float64)
    for b, x, y, channel in np.ndindex(7, 4, 3, 3):
        expected[b] += table.weight[x * 3 + y, channel * 11 + int(image[b, x, y, channel])]
    found = table(image)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(table.by_one_hot(image.reshape(7, -1, 3)), expected)
    direction = torch.rand(7, 5, dtype=torch.float64)
    gradients = [torch.autograd.grad(y, table.weight, direction)[0] for y in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_a_bare_floor_adds_nothing_and_other_cells_what_they_differ_by() -> None:
    torch.manual_seed(0)
    table = CellTable((4, 3, 3), 5, bare_floor=True).double()
    image = torch.zeros(2, 4, 3, 3, dtype=torch.uint8)
    image[..., 0] = 1  # empty, as minigrid encodes it
    image[1, 2, 1] = torch.tensor([8, 1, 0])  # a goal
    goal = table.weight[7, [8, 11 + 1]].sum(0) - table.weight[7, [1, 11]].sum(0)
    torch.testing.assert_close(table(image)[0], torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(table(image)[1], goal)


def test_a_mission_that_is_left_out_changes_nothing() -> None:
    torch.manual_seed(0)
    space = gym.spaces.Dict(
        {
            "image": gym.spaces.Box(0, 10, (4, 3, 3), np.uint8),
            "mission": gym.spaces.Box(0, 30, (5,), np.int16),
        }
    )
    encoder = ObservationEncoder(space, EncoderConfig(without_mission=True))
    seen = {"image": random_codes(2), "mission": torch.ones(2, 5, dtype=torch.int16)}
    other = {**seen, "mission": torch.full((2, 5), 7, dtype=torch.int16)}
    torch.testing.assert_close(encoder(seen), encoder(other))
    assert "mission" not in encoder.fields
    with pytest.raises(ValueError, match="grid=film needs a mission"):
        ObservationEncoder(space, EncoderConfig(grid="film", without_mission=True))


def test_a_code_that_no_table_has_is_refused() -> None:
    image = random_codes(2)
    image[1, 2, 1, 2] = 11
    with pytest.raises(ValueError, match="code 11; 0 to 10"):
        CellTable((4, 3, 3), 5)(image)


def test_a_mission_scales_and_shifts_the_maps_of_a_film_block() -> None:
    torch.manual_seed(0)
    block = FilmBlock(3, 4)
    maps, mission = torch.randn(2, 3, 5, 5), torch.randn(2, 4)
    inner = block.second(torch.relu(block.first(maps)))
    for b, c in np.ndindex(2, 3):
        scale = 1 + block.scale.weight[c] @ mission[b] + block.scale.bias[c]
        shift = block.shift.weight[c] @ mission[b] + block.shift.bias[c]
        expected = maps[b, c] + torch.relu(scale * inner[b, c] + shift)
        torch.testing.assert_close(block(maps, mission)[b, c], expected)


def test_film_without_a_mission_is_refused() -> None:
    with pytest.raises(ValueError, match="grid=film needs a mission"):
        ObservationEncoder(spaces.Dict({"image": EVERYTHING["image"]}), EncoderConfig("film"))


def test_distinct_rows_are_those_of_torch_unique() -> None:
    generator = torch.Generator().manual_seed(0)
    for high in (1, 2, 30):
        rows = torch.randint(0, high, (40, 3), dtype=torch.int16, generator=generator)
        distinct, which = distinct_rows(rows)
        assert torch.equal(distinct[which], rows)
        assert len(distinct) == len(torch.unique(rows, dim=0))


def test_acting_sees_new_missions_and_new_weights() -> None:
    torch.manual_seed(0)
    encoder = Mission(9, CONFIG)
    optimizer = torch.optim.Adam(encoder.parameters(), fused=True)
    tokens = torch.randint(1, 9, (3, 4), dtype=torch.int16)
    for change in range(4):
        with torch.no_grad():
            acted = encoder(tokens)
        torch.testing.assert_close(acted, encoder(tokens), rtol=0, atol=0)
        encoder(tokens).sum().backward()
        if change == 0:
            tokens[1] = tokens[0]
        elif change == 1:
            optimizer.step()
        else:
            encoder.load_state_dict({k: v + 1 for k, v in encoder.state_dict().items()})


def test_every_code_of_a_symbolic_image_has_an_embedding_of_its_own() -> None:
    grid = SymbolicGrid((3, 3, 3), CONFIG)
    outputs = set()
    for channel in range(3):
        for code in range(11):
            image = torch.zeros(1, 3, 3, 3, dtype=torch.uint8)
            image[..., channel] = code
            outputs.add(tuple(grid(image).flatten().tolist()))
    assert len(outputs) == 1 + 3 * 10


def test_a_mission_is_read_to_its_last_word_whatever_its_neighbours() -> None:
    torch.manual_seed(0)
    encoder = Mission(58, CONFIG)
    tokens = torch.tensor([[3, 4, 5, 0, 0], [7, 0, 0, 0, 0], [3, 4, 5, 0, 0]], dtype=torch.int16)
    found = encoder(tokens)
    for row, length in zip(range(3), (3, 1, 3), strict=True):
        states, _ = encoder.gru(encoder.embedding(tokens[row : row + 1, :length].int()))
        torch.testing.assert_close(found[row], states[0, -1])


def test_an_empty_mission_is_no_error() -> None:
    assert Mission(58, CONFIG)(torch.zeros(2, 5, dtype=torch.int16)).isfinite().all()


@pytest.mark.parametrize("grid", ["table", "convolutions", "film"])
def test_every_field_reaches_the_features(grid: Any) -> None:
    torch.manual_seed(0)
    encoder = ObservationEncoder(EVERYTHING, EncoderConfig(grid))
    first, second = batch(EVERYTHING, 1), batch(EVERYTHING, 2)
    whole = encoder(first)
    for name in EVERYTHING.spaces:
        changed = encoder({**first, name: second[name][1:]})
        assert not torch.equal(whole, changed), name


def test_a_picture_is_told_from_a_symbolic_grid_and_from_numbers() -> None:
    kinds = {
        (84, 84, 3): "Picture",
        (7, 7, 3): "Encode",
    }
    for shape, kind in kinds.items():
        space = spaces.Box(0, 255, shape, np.uint8)
        assert type(field_encoder("image", space, CONFIG)).__name__ == kind


def test_a_space_without_an_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match="'words' has a Text space"):
        field_encoder("words", spaces.Text(5), CONFIG)


def test_sb3_shows_our_encoder_what_our_own_agents_see() -> None:
    observations = batch(EVERYTHING, 32)
    processed: Any = preprocess_obs(observations, EVERYTHING, normalize_images=False)  # type: ignore[arg-type]  # tensors in a dict are what it takes
    for name, space in EVERYTHING.spaces.items():
        shown = as_shown(processed[name], space)
        assert torch.equal(shown.to(observations[name].dtype), observations[name]), name
    extractor = EncoderExtractor(EVERYTHING)
    torch.testing.assert_close(extractor(processed), extractor.encoder(observations))


def test_sampled_actions_follow_the_softmax() -> None:
    head = CategoricalHead(spaces.Discrete(4, start=1))
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0])
    generator = torch.Generator().manual_seed(0)
    drawn = head.sample(logits.expand(40_000, 4), generator)
    counts = np.bincount(drawn.numpy(), minlength=4)
    expected = logits.softmax(0).numpy().astype(float)
    assert stats.chisquare(counts, expected / expected.sum() * 40_000).pvalue > 1e-3
    assert head.to_env(drawn).min() == 1
    assert head.sample(logits[None], None).item() == 2


def test_log_probabilities_and_entropies_are_those_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(5, 6, 4, generator=generator)
    categorical = CategoricalHead(spaces.Discrete(4))
    drawn = categorical.sample(numbers, generator)
    log_prob, entropy = categorical.log_prob_and_entropy(numbers, drawn)
    theirs: Any = Categorical(logits=numbers)
    torch.testing.assert_close(log_prob, theirs.log_prob(drawn))
    torch.testing.assert_close(entropy, theirs.entropy())

    gaussian = GaussianHead(spaces.Box(-1, 1, (4,)))
    torch.nn.init.normal_(gaussian.log_std, generator=generator)
    actions = gaussian.sample(numbers, generator)
    log_prob, entropy = gaussian.log_prob_and_entropy(numbers, actions)
    normal: Any = Normal(numbers, gaussian.log_std.exp())
    torch.testing.assert_close(log_prob, normal.log_prob(actions).sum(-1))
    torch.testing.assert_close(entropy, normal.entropy().sum(-1))
    assert abs(gaussian.to_env(actions.flatten(0, 1) * 9)).max() == 1


def test_an_action_space_without_a_head_is_refused() -> None:
    with pytest.raises(ValueError, match="MultiBinary"):
        action_head(gym.spaces.MultiBinary(3))


def test_a_whole_number_picks_its_row_from_the_start_of_its_space() -> None:
    encoder = field_encoder("gear", spaces.Discrete(3, start=2), CONFIG)
    weight = encoder.get_parameter("weight")
    assert torch.equal(encoder(torch.tensor([2, 4])), weight[[0, 2]])
