"""Seeded, vectorised generators of supervised sequences, one task per file."""

from s2lab.envs.sequences.batch import Sequences

__all__ = ["Sequences"]
