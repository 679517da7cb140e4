"""Staves drawn and distorted per second and core, against the plain way; memory at 1x and 10x staves.

    python -m benchmarks.render [--staves 40] [--output benchmarks/render.md]

The plain way is what one writes first: a fresh Verovio toolkit for each file, cairosvg, Pillow. It runs twice: in this
process, with everything loaded, and as scripts run it, one process a file. All ways draw the same RISM incipits from
the same MEI text, staves turn about, so that a busy machine slows all alike; times are CPU seconds (of all threads, and
of the processes started). `hfmusic[benchmarks]` installs cairosvg.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
import multiprocessing
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFilter

from hfmusic.render.distort import distort_camera_primus
from hfmusic.render.engrave import EngravingStyle, engrave, png_bytes
from hfmusic.symbolic.mei import write_mei

RATIO_WANTED = 10


@dataclass
class Way:
    """CPU seconds of one way of making staves: the pictures, and the distorted copies."""

    draw: Callable[[str, int], np.ndarray]
    damage: Callable[[np.ndarray, int], np.ndarray]
    draw_seconds: float = 0.0
    damage_seconds: float = 0.0

    def run(self, mei: str, seed: int) -> None:
        start = time.process_time()
        image = self.draw(mei, seed)
        middle = time.process_time()
        self.damage(image, seed)
        self.draw_seconds += middle - start
        self.damage_seconds += time.process_time() - middle


def draw_plainly(mei: str, seed: int) -> np.ndarray:
    """A PNG file's worth of picture by a fresh toolkit, cairosvg and Pillow, cropped."""
    import cairosvg
    import verovio

    toolkit = verovio.toolkit()
    toolkit.setOptions(EngravingStyle().options())
    toolkit.loadData(mei)
    png = cairosvg.svg2png(bytestring=toolkit.renderToSVG(1).encode(), background_color="white")
    picture = Image.open(io.BytesIO(png)).convert("L")
    picture = picture.crop(picture.point(lambda value: 255 - value).getbbox())
    picture.save(io.BytesIO(), "PNG")
    return np.asarray(picture)


_ONE_FILE = """
import io, sys, cairosvg, verovio
from PIL import Image
toolkit = verovio.toolkit()
toolkit.setOptions(eval(sys.argv[1]))
toolkit.loadData(sys.stdin.read())
png = cairosvg.svg2png(bytestring=toolkit.renderToSVG(1).encode(), background_color="white")
picture = Image.open(io.BytesIO(png)).convert("L")
picture.crop(picture.point(lambda value: 255 - value).getbbox()).save(sys.stdout.buffer, "PNG")
"""


def seconds_one_process_a_file(texts: list[str]) -> float:
    """CPU seconds a picture when each file is drawn plainly by a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for mei in texts:
        command = [sys.executable, "-c", _ONE_FILE, repr(EngravingStyle().options())]
        subprocess.run(command, input=mei.encode(), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / len(texts)


def distort_plainly(image: np.ndarray, seed: int) -> np.ndarray:
    """im3's chain as single Pillow and numpy steps, each with its own resampling; swirl and wave as meshes."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(image)
    for kind in ("implode", "swirl", "spread", "shear", "shade", "wave", "rotate", "noise", "wave", "blur", "median"):
        if rng.random() < 0.84:
            picture = _STEPS[kind](picture, rng)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return np.asarray(Image.open(out))


def _resampled(picture: Image.Image, x: np.ndarray, y: np.ndarray) -> Image.Image:
    """The picture at (x, y), by the usual nearest-neighbour indexing."""
    pixels = np.asarray(picture)
    x = np.clip(np.round(x), 0, pixels.shape[1] - 1).astype(int)
    y = np.clip(np.round(y), 0, pixels.shape[0] - 1).astype(int)
    return Image.fromarray(pixels[y, x])


def _about_centre(picture: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[: picture.height, : picture.width].astype(float)
    x, y = x - picture.width / 2, (y - picture.height / 2) * (picture.width / picture.height)
    return x, y, np.minimum(1, np.hypot(x, y) / (picture.width / 2))


def _implode(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    x, y, radius = _about_centre(picture)
    factor = np.sin(np.pi / 2 * np.maximum(radius, 1e-3)) ** -rng.uniform(0, 0.07)
    y = y * picture.height / picture.width
    return _resampled(picture, x * factor + picture.width / 2, y * factor + picture.height / 2)


def _swirl(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    x, y, radius = _about_centre(picture)
    turn = math.radians(rng.uniform(-3, 3)) * (1 - radius) ** 2
    turned_y = (np.sin(turn) * x + np.cos(turn) * y) * picture.height / picture.width
    return _resampled(picture, np.cos(turn) * x - np.sin(turn) * y + picture.width / 2, turned_y + picture.height / 2)


def _shear(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    across, down = math.tan(math.radians(rng.uniform(-5, 5))), math.tan(math.radians(rng.uniform(-1.5, 1.5)))
    size = (picture.width + 13, picture.height + 32)
    return picture.transform(
        size, Image.Transform.AFFINE, (1, across, 0, down, 1, 0), Image.Resampling.BICUBIC, fillcolor=255
    )


def _shade(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    values = np.asarray(picture).astype(float) / 255
    slope_y, slope_x = np.gradient(values)
    light = 2 / np.sqrt(4 + (3 * slope_x) ** 2 + (3 * slope_y) ** 2)
    return Image.fromarray((255 * values * light).astype(np.uint8))


def _wave(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[: picture.height, : picture.width].astype(float)
    return _resampled(picture, x, y + rng.uniform(0, 0.5) * np.sin(2 * math.pi * x / rng.uniform(0.01, 0.4)))


def _noise(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    noisy = np.asarray(picture) + rng.normal(0, 2.55 * rng.uniform(0, 1.2), (picture.height, picture.width))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


_STEPS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "implode": _implode,
    "swirl": _swirl,
    "spread": lambda picture, rng: picture.effect_spread(1),
    "shear": _shear,
    "shade": _shade,
    "wave": _wave,
    "rotate": lambda picture, rng: picture.rotate(
        rng.uniform(0, 0.3), Image.Resampling.BICUBIC, expand=True, fillcolor=255
    ),
    "noise": _noise,
    "blur": lambda picture, rng: picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2))),
    "median": lambda picture, rng: picture.filter(ImageFilter.MedianFilter(3)),
}


def draw_ours(mei: str, seed: int) -> np.ndarray:
    image = engrave(mei)
    png_bytes(image)
    return image


def draw_styled(mei: str, seed: int) -> np.ndarray:
    image = engrave(mei, EngravingStyle.sample(np.random.default_rng(seed)))
    png_bytes(image)
    return image


def distort_ours(image: np.ndarray, seed: int) -> np.ndarray:
    return distort_camera_primus(image, np.random.default_rng(seed))


def peak_mebibytes(texts: list[str], staves: int) -> float:
    """Peak memory of a fresh process that draws and distorts this many staves, each in its own style."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_draw_many, (texts, staves))


def _draw_many(texts: list[str], staves: int) -> float:
    cv2.setNumThreads(1)
    for seed, mei in enumerate(itertools.islice(itertools.cycle(texts), staves)):
        distort_ours(draw_styled(mei, seed), seed)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _texts(count: int) -> list[str]:
    from hfmusic.data.corpora import rism_tunes  # here: the processes whose memory is measured do not build data

    return [write_mei(tune.score) for tune in itertools.islice(rism_tunes(), count)]


def report(staves: int) -> str:
    """Runs all and returns the table of the committed result."""
    cv2.setNumThreads(1)
    texts = _texts(staves)
    plain, ours = Way(draw_plainly, distort_plainly), Way(draw_ours, distort_ours)
    styled = Way(draw_styled, distort_ours)
    for way in (plain, ours, styled):  # loading is not timed
        way.run(texts[0], 0)
        way.draw_seconds = way.damage_seconds = 0.0
    for seed, mei in enumerate(texts):
        for way in (plain, ours, styled):
            way.run(mei, seed)
    lines = [
        "# Staves drawn and distorted",
        "",
        f"`python -m benchmarks.render --staves {staves}`: {staves} RISM incipits, Python {platform.python_version()}, "
        f"{platform.machine()}, one core; CPU time, all ways in turn in one process, from MEI text to PNG.",
        "",
        "| way | picture, staves/s | distortion, staves/s | picture + distorted, staves/s |",
        "|---|---:|---:|---:|",
    ]
    alone = seconds_one_process_a_file(texts[:20])
    damage = plain.damage_seconds / staves
    lines.append(f"| plain, one process a file | {1 / alone:.1f} | {1 / damage:.1f} | {1 / (alone + damage):.1f} |")
    names = ("plain, one process for all", "hfmusic, PrIMuS's style", "hfmusic, a new style each")
    for name, way in zip(names, (plain, ours, styled), strict=True):
        rates = [staves / s for s in (way.draw_seconds, way.damage_seconds, way.draw_seconds + way.damage_seconds)]
        lines.append(f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |")
    picture = plain.draw_seconds / ours.draw_seconds
    both = (plain.draw_seconds + plain.damage_seconds) / (ours.draw_seconds + ours.damage_seconds)
    drawn, made = ours.draw_seconds / staves, (ours.draw_seconds + ours.damage_seconds) / staves
    few, many = peak_mebibytes(texts, staves), peak_mebibytes(texts, 10 * staves)
    lines += [
        "",
        f"PrIMuS's style against one process a file: **{alone / drawn:.1f}x** for pictures, "
        f"**{(alone + damage) / made:.1f}x** with distortion (wanted: {RATIO_WANTED}x).",
        f"Against the plain way in one process, all loaded: {picture:.1f}x and {both:.1f}x.",
        f"Peak memory of a process: {few:.0f} MiB after {staves} staves, {many:.0f} MiB after {10 * staves}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--staves", type=int, default=40)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    text = report(options.staves)
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
