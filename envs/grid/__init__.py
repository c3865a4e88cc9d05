"""The grid engine: N worlds as a struct of arrays, stepped by compiled kernels.

Knows no gymnasium and no torch.
"""
