"""Digits: an image read pixel by pixel, its class asked for at the end; trained at one resolution,
tested at others (Goyal et al. 2019, arXiv 1909.10893: 14 x 14, then 16, 19 and 24).

Real MNIST from IDX files in a folder, or, offline, scikit-learn's bundled 8 x 8 digits (UCI), which
are NOT MNIST: figures on them say nothing about the published table.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2lab.envs.sequences.batch import Sequences, require

IDX_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class Images:
    """Grey images and their classes."""

    name: str
    """Where they come from."""
    pixels: NDArray[np.float32]
    """[N, side, side], 0 to 1."""
    labels: NDArray[np.int64]
    """[N], 0 to 9."""


def bundled(part: str) -> Images:
    """scikit-learn's digits: the first 1297 to train, 200 to validate, the last 300 to test."""
    from sklearn.datasets import load_digits

    ends = {"train": slice(0, 1297), "validate": slice(1297, 1497), "test": slice(1497, None)}
    require(part in ends, f"part is {part!r}; it must be one of {', '.join(ends)}")
    found = load_digits()
    pixels: NDArray[np.float32] = np.asarray(found.images / 16, dtype=np.float32)
    return Images("scikit-learn digits (not MNIST)", pixels[ends[part]], found.target[ends[part]])


def mnist(folder: Path, part: str) -> Images:
    """MNIST from IDX files, gzipped or not; the last 5000 training images validate.

    Raises:
        ValueError: a file is missing or not what its header says.
    """
    images, labels = IDX_NAMES["test" if part == "test" else "train"]
    pixels = np.asarray(read_idx(folder / images) / 255, dtype=np.float32)
    classes = read_idx(folder / labels).astype(np.int64)
    split = {"train": slice(0, -5000), "validate": slice(-5000, None)}.get(part, slice(None))
    return Images("MNIST", pixels[split], classes[split])


def read_idx(path: Path) -> NDArray[np.uint8]:
    """One IDX file of unsigned bytes (yann.lecun.com's format), `path` or `path`.gz."""
    zipped = path.with_name(path.name + ".gz")
    require(
        path.exists() or zipped.exists(), f"{path} is missing; put MNIST's IDX files in that folder"
    )
    raw = path.read_bytes() if path.exists() else gzip.decompress(zipped.read_bytes())
    require(raw[:3] == b"\0\0\x08", f"{path} is no IDX file of bytes: it starts with {raw[:4]!r}")
    dimensions = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    size = int(np.prod(dimensions))
    require(len(data) == size, f"{path} holds {len(data)} bytes where its header says {size}")
    return data.reshape(dimensions)


def resized(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """[N, s, s] -> [N, side, side], the nearest pixel."""
    index = ((np.arange(side) + 0.5) * pixels.shape[1] / side).astype(int)
    return pixels[:, index][:, :, index]


def pixel_by_pixel(images: Images, rows: NDArray[np.int64], side: int) -> Sequences:
    """Inputs [side * side, N, 1], targets [1, N], for the images numbered `rows`."""
    pixels = resized(images.pixels[rows], side).reshape(len(rows), -1)
    return Sequences(np.ascontiguousarray(pixels.T[:, :, None]), images.labels[rows][None])
