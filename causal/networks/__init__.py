"""Published Bayesian networks as BIF files."""
