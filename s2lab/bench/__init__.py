"""Speed, against peers, in one run: one file per bench, `harness.py` measures and reports."""
