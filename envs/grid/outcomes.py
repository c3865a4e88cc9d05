"""What becomes of an episode in a step. Knows nothing else."""

GOES_ON, SUCCEEDS, FAILS, PUNISHED = range(4)
