"""Whole sequences of a core as one autograd node: numba between matrix products, CPU only.

Everything here has the layout [features, modules, batch], so that the innermost loop runs over a
contiguous batch, and is held by tests to the same equations as the plain torch cores.
"""
