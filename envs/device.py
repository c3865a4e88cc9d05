"""N worlds of one level in the memory of a GPU, where torch and the kernels share them.

Every array of `grid/worlds.py` is a torch tensor on the device; kernels are launched on torch's
current stream and nothing waits for them. Under numba's simulator the tensors are the CPU's. Knows
no gymnasium and no layouts.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2lab.envs import vocabulary
from s2lab.envs.grid import cuda, kernels, random
from s2lab.envs.grid.cuda_launch import SIMULATED, Placed, prepare
from s2lab.envs.grid.level import Family, Level, make_shared
from s2lab.envs.grid.worlds import Outputs, Tables, Worlds, make_outputs, make_worlds
from s2lab.envs.seed_sequences import generator_states

Array = npt.NDArray[Any]

# Of state and outputs, whether worlds lie innermost: neighbouring threads then touch neighbouring
# bytes, but an observation is no longer one piece of memory.
LAYOUTS = {"rows": (False, False), "columns": (True, False), "all_columns": (True, True)}
RESETS = ("second_pass", "in_place")


@dataclass(frozen=True)
class Plan:
    """How the work is laid out on a GPU; `s2lab bench envs --device cuda` measures the choices."""

    reset: str = "in_place"
    """Where finished worlds begin anew: `second_pass` over a list of them, or `in_place`."""
    layout: str = "all_columns"
    """How arrays lie in memory, of `LAYOUTS`."""
    block: int = 64
    """Threads of a block."""
    renewal_block: int = 32
    """Threads of a block of the second pass, of which few have work: small blocks spread it."""


def missing(number: int = 0) -> str | None:
    """What worlds on GPU `number` lack on this machine and what to install, in one line."""
    if SIMULATED:
        return None
    if find_spec("numba_cuda") is None or find_spec("cuda") is None:
        return "the package numba-cuda is missing; install it: pip install 's2lab[cuda]'"
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is built without CUDA; on a machine with a GPU, install a "
            "build with it: pip install --force-reinstall torch"
        )
    if not torch.cuda.is_available():
        return (
            "torch finds no CUDA GPU here; use device='cpu', or install an NVIDIA driver where "
            "there is a GPU (nvidia-smi shows it) and: pip install 's2lab[cuda]'"
        )
    if number >= torch.cuda.device_count():
        return f"the last GPU here is 'cuda:{torch.cuda.device_count() - 1}'"
    return None


def found_here() -> bool:
    """Whether worlds can live on a GPU here; a simulated one does not count."""
    return not SIMULATED and missing() is None


class DeviceBatch:
    """N worlds of one level on a GPU; `grid.cpu.GridBatch` with tensors in place of arrays.

    Tensors of unsigned fields have the signed type of the same width: torch computes with these.
    """

    def __init__(
        self,
        family: Family,
        level: Level,
        count: int,
        *,
        mode: int = kernels.SAME_STEP,
        view_size: int = 7,
        full: bool = False,
        device: str = "cuda",
        plan: Plan | None = None,
    ) -> None:
        self.level, self.count, self.mode = level, count, mode
        self.plan = plan or Plan()
        self.device = _device(device)
        self.rules, tables = make_shared(level, view_size=view_size, full=full)
        one = make_worlds(
            1, self.rules, slots=level.slots, words=level.mission_length, scratch=level.scratch
        )
        shown = make_outputs(1, self.rules, level.mission_length)
        inner_state, inner_outputs = LAYOUTS[self.plan.layout]
        self._types = {name: array.dtype for row in (one, shown) for name, array in _items(row)}
        with self._here():
            self.worlds = _group(Worlds, (self._spread(array, inner_state) for array in one))
            self.outputs = _group(Outputs, (self._spread(row, inner_outputs) for row in shown))
            self._tables = tuple(torch.from_numpy(array).to(self.device) for array in tables)
            self.actions = torch.zeros(count, dtype=torch.int64, device=self.device)
            self._everyone = torch.arange(-1, count, dtype=torch.int32, device=self.device)
            self._everyone[0] = count
            self._finished = torch.zeros(1 + count, dtype=torch.int32, device=self.device)
            self.complaints = torch.zeros(
                cuda.COMPLAINTS, dtype=torch.int64, pin_memory=self.device.type == "cuda"
            )
            self._said = self.complaints.numpy()
            self._prepare(family, _group(Tables, map(_place, self._tables, tables)))
            self.seed([None] * count)

    def _spread(self, row: Array, columns: bool) -> Tensor:
        """Room for N worlds, each as this one is."""
        tensor = torch.from_numpy(row.view(_signed(row.dtype)))
        shape = (self.count, *row.shape[1:])
        if columns:
            backwards = torch.empty(shape[::-1], dtype=tensor.dtype, device=self.device)
            room = backwards.permute(*reversed(range(len(shape))))
        else:
            room = torch.empty(shape, dtype=tensor.dtype, device=self.device)
        return room.copy_(tensor.to(self.device).expand(shape))

    def _prepare(self, family: Family, tables: Any) -> None:
        inner_state, inner_outputs = LAYOUTS[self.plan.layout]
        placed = (
            self._place(self.worlds, inner_state),
            self.rules,
            tables,
            self._place(self.outputs, inner_outputs),
        )
        actions, complaints = _place(self.actions), _place(self.complaints)
        finished, everyone = _place(self._finished), _place(self._everyone)
        allowed, renew = self.level.actions, cuda.renewal(family)
        common: dict[str, Any] = {"threads": self.count, "capability": self._capability()}
        small = {**common, "block": self.plan.renewal_block}
        plain = {**common, "block": self.plan.block}
        begin = (*placed, everyone, kernels.NEXT_STEP)
        self._begin = prepare(f"renew_{family.name}", renew, begin, **small)
        self._second_pass = self.plan.reset == "second_pass"
        if self._second_pass:
            stepping = (*placed, actions, complaints, finished, self.mode, allowed)
            again = (*placed, finished, self.mode)
            self._step = prepare("listing_step", cuda.listing_step(), stepping, **plain)
            self._renew = prepare(f"renew_{family.name}", renew, again, **small)
        else:
            fused = (*placed, actions, complaints, self.mode, allowed)
            self._step = prepare(f"step_{family.name}", cuda.fused_step(family), fused, **plain)

    def _place(self, group: Any, columns: bool) -> Any:
        """The same group with each tensor as kernels are told of it."""
        parts = [
            Placed(tensor.data_ptr(), tuple(tensor.shape), self._types[name], columns)
            for name, tensor in _items(group)
        ]
        return type(group)(*parts)

    def _capability(self) -> tuple[int, int]:
        if SIMULATED:
            return (0, 0)
        return torch.cuda.get_device_capability(self.device)

    def _here(self) -> AbstractContextManager[object]:
        """The device's context: driver calls work in the current one."""
        return nullcontext() if SIMULATED else torch.cuda.device(self.device)

    def _stream(self) -> int:
        return 0 if SIMULATED else int(torch.cuda.current_stream(self.device).cuda_stream)

    def seed(self, seeds: Sequence[int | None]) -> None:
        """Seed world i with `seeds[i]`; None takes entropy from the machine."""
        self.seed_worlds(range(len(seeds)), seeds)

    def seed_worlds(self, chosen: Sequence[int], seeds: Sequence[int | None]) -> None:
        """Seed some worlds, each with its seed."""
        drawn = np.random.SeedSequence().generate_state(len(seeds), np.uint64).tolist()
        given = [some if one is None else one for one, some in zip(seeds, drawn, strict=True)]
        rows = generator_states(np.array([one % 2**64 for one in given], np.uint64))
        for n, one in enumerate(given):
            if one >= 2**64:
                random.seed_world(rows, n, one)
        index = torch.tensor(list(chosen), device=self.device)
        self.worlds.rng[index] = torch.from_numpy(rows.view(np.int64)).to(self.device)

    def reset(self, mask: Tensor | None = None) -> None:
        """Begin new episodes, in the worlds of a bool [N] mask only if one is given."""
        outputs: Any = self.outputs
        with self._here():
            outputs.fresh.copy_(torch.ones_like(outputs.fresh) if mask is None else mask)
            for tensor in (outputs.ended, outputs.terminated, outputs.truncated):
                tensor.logical_and_(~outputs.fresh)
            self._begin(self._stream())

    def step(self, actions: Tensor) -> None:
        """Do whole-numbered [N] actions; episodes that ended begin anew as the mode says."""
        with self._here():
            self.actions.copy_(actions, non_blocking=True)
            stream = self._stream()
            if self._second_pass:
                self._finished[:1].zero_()
                self._step(stream)
                self._renew(stream)
            else:
                self._step(stream)

    def complaint(self) -> str | None:
        """What a step that is done could not do, told once; without waiting for steps that run."""
        wrong, ended = self._said.tolist()
        if not wrong and not ended:
            return None
        self._said[:] = 0
        if ended:
            return f'world {ended - 1} has ended; reset it with options["reset_mask"]'
        action = (wrong & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)
        last = self.level.actions - 1
        return f"action {action} of world {(wrong >> 32) - 1} is not one of 0 to {last}"

    def wait(self) -> None:
        """Wait until every step that was begun is done."""
        if not SIMULATED:
            torch.cuda.synchronize(self.device)

    def state_dict(self) -> dict[str, dict[str, Array]]:
        """As `GridBatch.state_dict`: worlds may go on there."""
        self.wait()
        groups = {"worlds": self.worlds, "outputs": self.outputs}
        return {
            part: {
                name: np.array(tensor.cpu().numpy().view(self._types[name]), order="C")
                for name, tensor in _items(group)
            }
            for part, group in groups.items()
        }

    def load_state_dict(self, saved: Mapping[str, Mapping[str, Array]]) -> None:
        """Take up where `state_dict` was called, there or in a `GridBatch`.

        Raises:
            ValueError: the state is of other worlds; nothing has changed.
        """
        groups = {"worlds": self.worlds, "outputs": self.outputs}
        ours = {part: {k: tuple(v.shape) for k, v in _items(g)} for part, g in groups.items()}
        if ours != {part: {k: np.shape(v) for k, v in saved[part].items()} for part in ours}:
            raise ValueError("the saved worlds are of another level, number or view size")
        for part, group in groups.items():
            for name, tensor in _items(group):
                array = np.ascontiguousarray(saved[part][name], self._types[name])
                tensor.copy_(torch.from_numpy(array.view(_signed(array.dtype))))

    def mission_text(self, n: int) -> str:
        """The mission of world `n` in words."""
        tokens: Any = self.worlds.tokens[n]
        return vocabulary.decode(tokens.cpu().numpy())

    def close(self) -> None:
        """Wait for the last step: its memory may be given to others."""
        self.wait()


def _device(name: str) -> torch.device:
    if SIMULATED:
        return torch.device("cpu")
    found = torch.device(name)
    return torch.device("cuda", torch.cuda.current_device()) if found.index is None else found


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"i{dtype.itemsize}") if dtype.kind == "u" and dtype.itemsize > 1 else dtype


def _group(kind: Any, parts: Iterable[Any]) -> Any:
    """One of the groups of arrays in `worlds.py`, of something else than arrays."""
    return kind(*parts)


def _items(group: Any) -> list[tuple[str, Any]]:
    return list(group._asdict().items())


def _place(tensor: Tensor, like: Array | None = None) -> Placed:
    dtype = torch.empty(0, dtype=tensor.dtype).numpy().dtype if like is None else like.dtype
    return Placed(tensor.data_ptr(), tuple(tensor.shape), dtype)
