"""Learners of causal graphs, one file each, one protocol."""
