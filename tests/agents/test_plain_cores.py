"""The plain cores against torch's own modules, which we did not write."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from s2lab.agents.cores import CORES, core_config, make_core
from s2lab.agents.cores.fused.small_lstm import MOST_ROWS
from s2lab.agents.cores.gru import GRUConfig, GRUCore
from s2lab.agents.cores.lstm import LSTMConfig, LSTMCore

T, B, F, H = 7, 3, 5, 4


def torch_lstm(core: LSTMCore) -> nn.LSTM:
    peer = nn.LSTM(core.input_size, core.output_size).double()
    with torch.no_grad():
        peer.weight_ih_l0.copy_(core.weight_ih)
        peer.weight_hh_l0.copy_(core.weight_hh)
        peer.bias_ih_l0.copy_(core.bias)
        peer.bias_hh_l0.zero_()
    return peer


def torch_gru(core: GRUCore) -> nn.GRU:
    peer = nn.GRU(core.input_size, core.output_size).double()
    with torch.no_grad():
        peer.weight_ih_l0.copy_(core.weight_ih)
        peer.weight_hh_l0.copy_(core.weight_hh)
        peer.bias_ih_l0.copy_(core.bias_ih)
        peer.bias_hh_l0.copy_(torch.cat([torch.zeros(2 * core.output_size), core.bias_hn]))
    return peer


def torch_run(peer: nn.RNNBase, inputs: Tensor, state: tuple[Tensor, ...], reset: Tensor) -> Tensor:
    """One torch call per step and row: a reset row starts from zeros."""
    rows = []
    for b in range(inputs.shape[1]):
        carried = tuple(part[None, b : b + 1] for part in state)
        steps = []
        for t in range(inputs.shape[0]):
            if reset[t, b]:
                carried = tuple(torch.zeros_like(part) for part in carried)
            packed = carried if isinstance(peer, nn.LSTM) else carried[0]
            out, packed = peer(inputs[t : t + 1, b : b + 1], packed)
            carried = packed if isinstance(packed, tuple) else (packed,)
            steps.append(out[0, 0])
        rows.append(torch.stack(steps))
    return torch.stack(rows, dim=1)


@pytest.mark.parametrize(
    ("steps", "rows"), [(T, B), (T, 6), (1, 1)], ids=["few rows", "many rows", "T=1 B=1"]
)
@pytest.mark.parametrize("kernel", ["torch", "fused"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_core_equals_torchs_own_with_resets_in_the_middle(
    name: str, kernel: str, steps: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_ROWS < 6, "many rows are those of the LSTM's other kernel"
    torch.manual_seed(0)
    core = make_core(name, F, {"kernel": kernel, "hidden_size": H}).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.normal_(std=0.5)
    peer = torch_lstm(core) if isinstance(core, LSTMCore) else torch_gru(core)
    inputs = torch.randn(steps, rows, F, dtype=torch.float64)
    inputs[steps // 2, 0] = 0  # a null input
    state = tuple(torch.randn_like(part) for part in core.initial_state(rows, dtype=torch.float64))
    reset = torch.rand(steps, rows) < 0.3
    assert reset.any() or steps == 1
    if kernel == "fused":
        monkeypatch.setattr(core, "run", None)  # the plain loop
    ours, theirs = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    outputs, _ = core(ours, state, reset)
    expected = torch_run(peer, theirs, state, reset)
    torch.testing.assert_close(outputs, expected, rtol=1e-6, atol=1e-9)
    weight = torch.randn_like(outputs)
    (outputs * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-9)
    for attribute in ("weight_ih", "weight_hh"):
        torch.testing.assert_close(
            getattr(core, attribute).grad,
            getattr(peer, f"{attribute}_l0").grad,
            rtol=1e-6,
            atol=1e-9,
        )
    if isinstance(core, LSTMCore):
        torch.testing.assert_close(core.bias.grad, peer.bias_ih_l0.grad, rtol=1e-6, atol=1e-9)
    elif isinstance(core, GRUCore):
        torch.testing.assert_close(core.bias_ih.grad, peer.bias_ih_l0.grad, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(
            core.bias_hn.grad, peer.bias_hh_l0.grad[2 * H :], rtol=1e-6, atol=1e-9
        )


def test_no_core_has_no_memory() -> None:
    core = make_core("none", F)
    inputs = torch.randn(T, B, F)
    outputs, state = core(inputs, core.initial_state(B), torch.zeros(T, B, dtype=torch.bool))
    assert core.output_size == F
    assert state == ()
    assert torch.equal(outputs, inputs)


def test_an_unknown_core_or_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown core 'lstn'; did you mean 'lstm'"):
        make_core("lstn", F)
    with pytest.raises(ValueError, match="'hiden_size'; did you mean 'hidden_size'"):
        make_core("lstm", F, {"hiden_size": 3})
    with pytest.raises(ValueError, match="hidden_size is 0"):
        make_core("gru", F, {"hidden_size": 0})


def test_wrong_shapes_are_refused_before_they_broadcast() -> None:
    core = LSTMCore(F, LSTMConfig(hidden_size=H))
    inputs, state = torch.randn(T, B, F), core.initial_state(B)
    with pytest.raises(ValueError, match="this core takes"):
        core(inputs[:, :, :2], state, torch.zeros(T, B, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"reset is torch.float32"):
        core(inputs, state, torch.zeros(T, B))
    with pytest.raises(ValueError, match="initial_state"):
        core(inputs, core.initial_state(1), torch.zeros(T, B, dtype=torch.bool))


@pytest.mark.parametrize("name", sorted(CORES))
def test_configurations_are_frozen(name: str) -> None:
    config = core_config(name)
    assert dataclasses.is_dataclass(config)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        config.hidden_size = 3
    assert GRUConfig(hidden_size=9).hidden_size == 9


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lstm", {"hidden_size": 19}),
        ("gru", {"hidden_size": 19}),
        ("rmc", {"slots": 3, "heads": 2, "head_size": 9}),
        ("transformer", {"size": 18, "heads": 2, "memory": 5}),
    ],
)
def test_single_precision_kernels_agree_with_plain_torch(
    name: str, options: dict[str, int]
) -> None:
    """At sizes where vector loops have whole blocks and remainders."""
    torch.manual_seed(0)
    fused = make_core(name, F, options | {"kernel": "fused"})
    plain = make_core(name, F, options | {"kernel": "torch"})
    plain.load_state_dict(fused.state_dict())
    inputs, reset = torch.randn(9, 37, F), torch.rand(9, 37) < 0.1
    found = []
    for core in (fused, plain):
        outputs, _ = core(inputs, core.initial_state(37), reset)
        outputs.square().mean().backward()
        found.append([outputs.detach(), *(p.grad for p in core.parameters())])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=2e-3, atol=2e-5 * float(other.abs().max()))


@pytest.mark.parametrize(
    ("name", "options", "rows"),
    [
        ("lstm", {"hidden_size": H}, 2),
        ("lstm", {"hidden_size": H}, MOST_ROWS + 1),
        ("gru", {"hidden_size": H}, 2),
        ("rmc", {"slots": 3, "heads": 2, "head_size": 3}, 2),
    ],
)
def test_gradcheck_of_outputs_and_final_state(
    name: str, options: dict[str, int], rows: int
) -> None:
    torch.manual_seed(0)
    core = make_core(name, F, options | {"kernel": "fused"}).double()
    inputs = torch.randn(4, rows, F, dtype=torch.float64, requires_grad=True)
    state = tuple(
        torch.randn_like(part).requires_grad_()
        for part in core.initial_state(rows, dtype=torch.float64)
    )
    reset = torch.zeros(4, rows, dtype=torch.bool)
    reset[0, 1] = reset[2, 0] = True

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, after = core(tensors[0], tuple(tensors[1 : 1 + len(state)]), reset)
        return outputs, *after

    assert torch.autograd.gradcheck(run, (inputs, *state, *core.parameters()), fast_mode=True)
