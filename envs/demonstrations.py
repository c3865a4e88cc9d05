"""Demonstrations on disk: seeds, actions and missions, mapped into memory; no observations.

A folder holds four files, and the last three are only ever appended to:

    demos.json      {"format": 1, "env_id", "mission_length", "first_seed"}
    actions.bin     uint8, the actions of all episodes one after another
    episodes.bin    one record per episode: its world's seed, where its actions begin and how many
                    there are, its mission as word ids (`record_type`)
    left_out.jsonl  {"seed", "why"} per seed without an episode: raised, failed, hung

Seeds count upwards from the first, each in one of the last two files. What a crash has cut off is
no whole record and is not read; a writer cuts it away. `replay.py` makes the observations again.
Knows no bot and no processes.
"""

import contextlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = 1
Array = npt.NDArray[Any]
HEADER, ACTIONS, EPISODES, LEFT_OUT = "demos.json", "actions.bin", "episodes.bin", "left_out.jsonl"


def record_type(mission_length: int) -> np.dtype[Any]:
    """The layout of one record of `episodes.bin`, little-endian and packed."""
    return np.dtype(
        [
            ("seed", "<u8"),
            ("start", "<u8"),
            ("length", "<u4"),
            ("mission", "<i2", (mission_length,)),
        ]
    )


@dataclass(frozen=True)
class Demonstrations:
    """What a folder holds; the arrays are mapped from its files."""

    path: Path
    """The folder."""
    env_id: str
    """The world that was played."""
    first_seed: int
    """The seed of the first episode that was tried."""
    records: Array
    """Records [E] of `record_type`."""
    actions: Array
    """uint8 [S]."""
    left_out: dict[int, str]
    """Why a seed has no episode."""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def steps(self) -> int:
        """Actions in all episodes."""
        return int(self.records["length"].sum())

    @property
    def next_seed(self) -> int:
        """The first seed that has not been tried."""
        last = [int(self.records["seed"][-1])] if len(self.records) else []
        return max([*last, *self.left_out, self.first_seed - 1]) + 1

    @property
    def counts(self) -> Counter[str]:
        """How many seeds were left out, by the reason."""
        return Counter(self.left_out.values())

    def actions_of(self, episode: int) -> Array:
        """The actions of one episode, uint8 [T]."""
        start = int(self.records["start"][episode])
        return self.actions[start : start + int(self.records["length"][episode])]


def read_demonstrations(path: Path) -> Demonstrations:
    """Map a folder of demonstrations.

    Raises:
        ValueError: it is none, is damaged, or a newer version wrote it.
        OSError: it cannot be read.
    """
    if not (path / HEADER).is_file():
        raise ValueError(f"{path} holds no demonstrations; record some: s2lab demos ENV --out DIR")
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
        written, env_id = header["format"], str(header["env_id"])
        first, layout = int(header["first_seed"]), record_type(int(header["mission_length"]))
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{path / HEADER} is damaged ({error}); record to another folder"
        ) from None
    if written != FORMAT:
        raise ValueError(f"{path} is of format {written}; this version reads format {FORMAT}")
    actions = _mapped(path / ACTIONS, np.dtype(np.uint8))
    records = _mapped(path / EPISODES, layout)
    ends = records["start"] + records["length"]
    if len(records) and int(ends[-1]) > len(actions):
        raise ValueError(f"{path / ACTIONS} is shorter than {EPISODES} says; record again")
    return Demonstrations(path, env_id, first, records, actions, _left_out(path / LEFT_OUT))


def _mapped(path: Path, layout: np.dtype[Any]) -> Array:
    """The whole records of a file."""
    count = path.stat().st_size // layout.itemsize if path.exists() else 0
    if count == 0:
        return np.zeros(0, layout)
    return np.memmap(path, layout, mode="r", shape=(count,))


def _left_out(path: Path) -> dict[int, str]:
    """The whole lines of a file; one that was cut off is none."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError, LookupError, TypeError):
            entry = json.loads(line)
            found[int(entry["seed"])] = str(entry["why"])
    return found


@dataclass(frozen=True)
class Attempt:
    """What became of one seed."""

    seed: int
    """The world's seed."""
    why: str
    """Why it is left out; empty for an episode."""
    actions: bytes
    """Actions of the episode."""
    mission: Array
    """int16 [mission length], word ids."""


class DemonstrationWriter:
    """Appends attempts to a folder, in the order of their seeds.

    The actions are on disk before the records that speak of them, so that whatever happens in
    between loses the attempts that were being added and nothing else.
    """

    def __init__(self, path: Path, env_id: str, mission_length: int, first_seed: int) -> None:
        """Begin a folder, or go on with one.

        Raises:
            ValueError: the folder holds demonstrations of another world or from other seeds.
            OSError: it cannot be written.
        """
        self.path, self._layout = path, record_type(mission_length)
        path.mkdir(parents=True, exist_ok=True)
        if not (path / HEADER).exists():
            header = {
                "format": FORMAT,
                "env_id": env_id,
                "mission_length": mission_length,
                "first_seed": first_seed,
            }
            beside = path / f".{HEADER}.tmp"
            beside.write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
            os.replace(beside, path / HEADER)
        found = read_demonstrations(path)
        if (found.env_id, found.first_seed) != (env_id, first_seed):
            raise ValueError(
                f"{path} holds demonstrations of {found.env_id} from seed {found.first_seed}; "
                "choose another folder"
            )
        self.next_seed, self.episodes, self.left_out = (
            found.next_seed,
            len(found),
            found.counts,
        )
        self._end = (
            int(found.records["start"][-1] + found.records["length"][-1]) if len(found) else 0
        )
        for name, size in ((ACTIONS, self._end), (EPISODES, len(found) * self._layout.itemsize)):
            with (path / name).open("ab") as file:
                file.truncate(size)
        self._close_last_line()

    def _close_last_line(self) -> None:
        path = self.path / LEFT_OUT
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            self._append(LEFT_OUT, b"\n")

    def add(self, attempts: list[Attempt]) -> None:
        """Append attempts whose seeds follow those before.

        Raises:
            ValueError: seeds out of order.
            OSError: the disk is full, say; what was added before is intact.
        """
        seeds = [attempt.seed for attempt in attempts]
        if seeds != list(range(self.next_seed, self.next_seed + len(seeds))):
            raise ValueError(f"seeds {seeds[:1]}... do not follow {self.next_seed - 1}")
        kept = [attempt for attempt in attempts if not attempt.why]
        records = np.zeros(len(kept), self._layout)
        end = self._end
        for record, attempt in zip(records, kept, strict=True):
            record["seed"], record["start"] = attempt.seed, end
            record["length"], record["mission"] = len(attempt.actions), attempt.mission
            end += len(attempt.actions)
        lines = [json.dumps({"seed": a.seed, "why": a.why}) + "\n" for a in attempts if a.why]
        self._append(ACTIONS, b"".join(attempt.actions for attempt in kept))
        self._append(LEFT_OUT, "".join(lines).encode())
        self._append(EPISODES, records.tobytes())
        self._end, self.next_seed = end, self.next_seed + len(seeds)
        self.episodes += len(kept)
        self.left_out.update(attempt.why for attempt in attempts if attempt.why)

    def _append(self, name: str, data: bytes) -> None:
        if data:
            with (self.path / name).open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
