"""The bench harness: what it writes, and that a slower peer is called slower."""

import json
import time
from pathlib import Path

from s2lab.bench.harness import Row, duel, table, write_json


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_peer_that_takes_five_times_as_long_loses_by_about_five() -> None:
    row = duel("spin", lambda: busy(0.002), "spin longer", lambda: busy(0.01), 3, 0.01)
    assert row.ratio is not None
    assert 4 < row.ratio < 6


def test_the_record_has_the_agreed_keys(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bench.json"
    write_json([Row("a", 1.5, "ms", "b", 3.0, 2.0, 5), Row("c", 1.0, "MiB")], path)
    read = json.loads(path.read_text())
    assert set(read) == {"rows", "machine", "versions"}
    assert set(read["rows"][0]) == {"name", "value", "unit", "peer", "peer_value", "ratio", "runs"}
    assert read["rows"][1]["peer"] is None
    assert read["machine"]["cores"] >= 1
    assert "python" in read["versions"]
    assert list(path.parent.iterdir()) == [path]


def test_the_table_has_one_aligned_line_per_row() -> None:
    lines = table([Row("a", 1.5, "ms", "b", 3.0, 2.0, 5), Row("longer", 1.0, "MiB")]).splitlines()
    assert len(lines) == 3
    assert lines[1].index("1.5 ms") == lines[2].index("1 MiB")


def test_the_dense_masked_peer_computes_what_our_rims_compute() -> None:
    """Same weights, same outputs: the peer is timed on the same work, not on something else."""
    import torch

    from s2lab.agents.cores.rims import RIMsConfig, RIMsCore
    from s2lab.bench.dense_rims import DenseMaskedRIMs

    torch.manual_seed(0)
    peer = DenseMaskedRIMs(5, modules=4, units=3, active=2).double()
    core = RIMsCore(5, RIMsConfig(module_count=4, module_size=3, active_count=2)).double()
    p = dict(core.named_parameters())
    with torch.no_grad():
        recurrent = (peer.weight_hh * peer.mask_hh).view(4, 4, 3, 4, 3)  # gate, module, unit | ..
        driving = (peer.weight_ih * peer.mask_ih).view(4, 4, 3, 4, 12)
        p["cells.bias"].zero_()
        for k in range(4):
            p["cells.recurrent"][k, :, :12] = recurrent[:, k, :, k].reshape(12, 3).t()
            p["cells.recurrent"][k, :, 12:] = peer.query[k]
            own = driving[:, k, :, k].reshape(12, 12)
            p["cells.drive.weight"][12 * k : 12 * (k + 1)] = own @ peer.value.weight
            p["cells.drive.bias"][12 * k : 12 * (k + 1)] = own @ peer.value.bias
        p["cells.key.weight"].copy_(peer.key.weight)
        p["cells.key.bias"].copy_(peer.key.bias)
        p["communication.query_key_value"].copy_(peer.talk)
        p["gate.project.weight"].copy_(torch.cat([peer.gate.weight, peer.content.weight]))
        p["gate.project.bias"].copy_(torch.cat([peer.gate.bias, peer.content.bias]))
    inputs = torch.randn(6, 3, 5, dtype=torch.float64)
    state = core.initial_state(3, dtype=torch.float64)
    ours, _ = core(inputs, state, torch.zeros(6, 3, dtype=torch.bool))
    torch.testing.assert_close(ours, peer(inputs), rtol=1e-9, atol=1e-11)
