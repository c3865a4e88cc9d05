"""Pictures of an episode as a file: a GIF or MP4 (extra `video`), or one sheet as PNG.

Knows nothing of how agents work.
"""

import importlib.util
import io
from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from s2lab import durable
from s2lab.errors import UserError
from s2lab.policy import Mode

Kind = Literal["gif", "mp4", "png"]
FRAMES_PER_S = 6
LAST_FRAMES = 6  # how often the last picture is repeated, so that the end can be seen
SHEET_FRAMES = 48  # most pictures on a sheet
GAP = 4  # white pixels between them


def film_run(run: Path, episodes: int, which: str, mode: Mode, kind: Kind) -> list[Path]:
    """Play the first unseen seeds again and write each into the run's `videos/`.

    Raises:
        UserError: fewer than one episode, a world that draws no pictures, no encoder.
    """
    from s2lab.config import read_config
    from s2lab.envs.external import register_packages
    from s2lab.episode import play_episode
    from s2lab.policy import load
    from s2lab.run_folder import RunFolder
    from s2lab.seeds import eval_seeds, torch_seed

    if not 1 <= episodes <= 1000:
        raise UserError(f"--video-episodes must be between 1 and 1000, got {episodes}")
    kind = choose_kind(kind)
    config = read_config(RunFolder.open(run))
    register_packages(config.imports)
    policy = load(run, which, mode, torch_seed(config.seed, "evaluation"))
    written = []
    for index, seed in enumerate(eval_seeds(episodes)):
        frames = play_episode(policy, config.env, seed).frames
        written.append(write_film(frames, run / "videos" / f"{which}_episode_{index}.{kind}"))
    return written


def choose_kind(wanted: Kind) -> Kind:
    """What can be written here: a sheet where the extra is missing.

    Raises:
        UserError: MP4 without its encoder.
    """
    if wanted != "png" and importlib.util.find_spec("imageio") is None:
        return "png"
    if wanted == "mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError("mp4 needs an encoder: pip install imageio-ffmpeg, or take gif or png")
    return wanted


def write_film(frames: Sequence[NDArray[np.uint8]], path: Path) -> Path:
    """Write pictures [height, width, 3] as a GIF, MP4 or PNG by the path's ending.

    Raises:
        UserError: a folder that cannot be written.
    """
    kind = path.suffix[1:]
    content = sheet(frames) if kind == "png" else film(frames, kind)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(path, content)
    except OSError as error:
        raise durable.cannot_write(path, error, "free it or run elsewhere") from None
    return path


def film(frames: Sequence[NDArray[np.uint8]], kind: str) -> bytes:
    """Moving pictures as bytes."""
    import imageio.v3 as imageio

    stack = np.stack([*frames, *[frames[-1]] * LAST_FRAMES])
    if kind == "gif":
        content: bytes = imageio.imwrite(
            "<bytes>", stack, extension=".gif", duration=1000 / FRAMES_PER_S, loop=0
        )
        return content
    return bytes(imageio.imwrite("<bytes>", stack, extension=".mp4", fps=FRAMES_PER_S))


def sheet(frames: Sequence[NDArray[np.uint8]]) -> bytes:
    """Some of the pictures in rows, first and last among them, as the bytes of a PNG."""
    from PIL import Image

    count = min(len(frames), SHEET_FRAMES)
    shown = [frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)]
    columns = ceil(sqrt(count * 1.6))
    height, width, _ = shown[0].shape
    rows = ceil(count / columns)
    canvas = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, np.uint8)
    for i, frame in enumerate(shown):
        row, column = divmod(i, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        canvas[top : top + height, left : left + width] = frame
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG")
    return buffer.getvalue()
