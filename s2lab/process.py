"""How a process computes fastest on a CPU core of its own. Knows no learning.

Small networks gain nothing from a second thread, and much from a second process (`launch.py`).
"""

import ctypes
import sys

KEEP_BYTES = 2**30  # blocks up to this size come from the heap, and as much of it stays when free
# Parameters of glibc's mallopt (malloc.h).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


def tune_process() -> None:
    """One torch thread, tiny numbers as zero, and freed memory kept for the next tensor.

    Otherwise glibc maps every large tensor anew, and each first touch of a page is a fault.
    """
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if sys.platform != "linux":
        return
    c_library = ctypes.CDLL(None)
    if hasattr(c_library, "gnu_get_libc_version"):
        c_library.mallopt(MMAP_THRESHOLD, KEEP_BYTES)
        c_library.mallopt(TRIM_THRESHOLD, KEEP_BYTES)
