"""Bouncing balls: discs of equal mass that collide elastically in a unit box, seen as pixels.

After the bouncing-balls experiments of Goyal et al. 2019 and 2020. The generator is our own: free
flight in small substeps, walls reflect, two discs that touch and approach exchange the components
of their velocities along the line between them, so that energy is conserved.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from s2lab.envs.sequences.batch import Sequences, require

RADIUS = 0.09  # of the box; pixels whose centre is inside a disc are on
SPEED = 0.05  # boxes per frame
SUBSTEPS = 5
SIZE = 16  # pixels along a side
CURTAIN = (0.375, 0.625)  # the columns that a curtain hides


@dataclass(frozen=True)
class Balls:
    """N films of T frames."""

    frames: NDArray[np.float32]
    """[T, N, SIZE * SIZE], 0 or 1, rows from the top."""
    positions: NDArray[np.float32]
    """[T, N, balls, 2], x and y of the centres, in boxes."""


def balls(rng: np.random.Generator, count: int, length: int, balls: int) -> Balls:
    """`count` films of `length` frames.

    Raises:
        ValueError: more balls than comfortably fit.
    """
    require(1 <= balls <= 12, f"balls is {balls}; between 1 and 12 fit into the box")
    place = np.empty((count, balls, 2))
    for k in range(balls):
        place[:, k] = _free_places(rng, place[:, :k])
    angle = rng.random((count, balls)) * 2 * np.pi
    velocity = SPEED * np.stack([np.cos(angle), np.sin(angle)], axis=2)
    positions = np.empty((length, count, balls, 2), dtype=np.float32)
    _fly(place, velocity, positions)
    return Balls(render(positions), positions)


def _free_places(rng: np.random.Generator, taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """One more centre per film [N, 2], touching no disc of `taken` [N, k, 2]."""
    places = np.empty((len(taken), 2))
    open_films = np.arange(len(taken))
    while len(open_films):
        tried = RADIUS + (1 - 2 * RADIUS) * rng.random((len(open_films), 2))
        apart = np.linalg.norm(taken[open_films] - tried[:, None], axis=2)  # [n, k]
        good = (apart > 2 * RADIUS).all(axis=1)
        places[open_films[good]] = tried[good]
        open_films = open_films[~good]
    return places


@njit(cache=True)
def _fly(
    place: NDArray[np.float64], velocity: NDArray[np.float64], positions: NDArray[np.float32]
) -> None:
    """Fill positions [T, N, balls, 2]; moves `place` and `velocity` [N, balls, 2]."""
    frames, films, count = positions.shape[:3]
    for n in range(films):
        for t in range(frames):
            positions[t, n] = place[n]
            for _ in range(SUBSTEPS):
                place[n] += velocity[n] / SUBSTEPS
                for i in range(count):
                    for axis in range(2):
                        x, v = place[n, i, axis], velocity[n, i, axis]
                        if (x < RADIUS and v < 0) or (x > 1 - RADIUS and v > 0):
                            velocity[n, i, axis] = -v
                    for j in range(i):
                        _collide(place[n, i], place[n, j], velocity[n, i], velocity[n, j])


@njit(cache=True)
def _collide(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    va: NDArray[np.float64],
    vb: NDArray[np.float64],
) -> None:
    dx, dy = a[0] - b[0], a[1] - b[1]
    squared = dx * dx + dy * dy
    approach = (va[0] - vb[0]) * dx + (va[1] - vb[1]) * dy
    if squared < 4 * RADIUS * RADIUS and approach < 0:
        share = approach / squared
        va[0] -= share * dx
        va[1] -= share * dy
        vb[0] += share * dx
        vb[1] += share * dy


def render(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels [..., SIZE * SIZE] of discs at positions [..., balls, 2]."""
    centre = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    shown = np.zeros((*positions.shape[:-2], SIZE, SIZE), dtype=bool)
    for k in range(positions.shape[-2]):
        x, y = positions[..., k, 0, None, None], positions[..., k, 1, None, None]
        shown |= (centre[None, :] - x) ** 2 + (centre[:, None] - y) ** 2 < RADIUS**2
    return shown.reshape(*positions.shape[:-2], SIZE * SIZE).astype(np.float32)


def curtained(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """The frames [..., SIZE * SIZE] with a curtain over the middle columns."""
    centre = (np.arange(SIZE) + 0.5) / SIZE
    hidden = (centre > CURTAIN[0]) & (centre < CURTAIN[1])
    pixels = frames.reshape(*frames.shape[:-1], SIZE, SIZE).copy()
    pixels[..., hidden] = 0
    return pixels.reshape(frames.shape)


def next_frames(films: Balls) -> Sequences:
    """Predict each frame from those before: inputs [T - 1, N, F], targets [T - 1, N, F]."""
    return Sequences(films.frames[:-1], films.frames[1:])
