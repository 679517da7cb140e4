"""What a camera, a scanner and time do to a picture of a staff. Seeded, grey in and grey out, a few milliseconds each.

`distort_camera_primus` follows Camera-PrIMuS (davidrizo/im3, CameraSimulator.java): the same operations in the same
ranges, each applied with probability 0.84. `distort_photo` goes further, to what telephones make of a page. All that
moves pixels is composed into one map and sampled once: repeated resampling would blur what the camera does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import cv2
import numpy as np

_CELL = 8  # smooth displacements are computed once per cell and interpolated between
_MAX_SIDE = 28_000  # cv2.remap reads 32,767 at most, and the warps enlarge
_USUAL = 0.8413  # P(N(0, 1) < 1): how im3 decides whether to apply an operation

_BYTES = np.arange(256)
# Quantiles of the normal distribution: a random byte looks its noise up here.
_NORMAL = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)])

# x and y in, where to look for them out; float32 arrays of any shape
Warp = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def distort(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A distorted copy of a staff picture, uint8 (H, W), 255 = paper: Camera-PrIMuS's way or a photo's, half each.

    Raises:
        ValueError: not a uint8 (H, W) picture of 8 to 28,000 pixels a side.
    """
    return distort_camera_primus(image, rng) if rng.random() < 0.5 else distort_photo(image, rng)


def distort_camera_primus(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A staff picture as Camera-PrIMuS distorts it, uint8 (H', W'): a little wider and taller where it is sheared.

    im3's chain: implode, chop, swirl, spread, shear, shade, wave, spread, rotate, noise, wave, motion blur, median,
    JPEG.
    Here what moves pixels comes first, in one map, then what changes their values. Shading multiplies the picture
    (relief alone would turn filled noteheads into rings, and readers of clean staves read Camera-PrIMuS), noise is
    Gaussian of up to 1.2 % of the range.

    Raises:
        ValueError: not a uint8 (H, W) picture of 8 to 28,000 pixels a side.
    """
    _check(image)
    picture = _warp_camera(image, rng)
    if rng.random() < _USUAL:
        picture = _shade(picture, azimuth=rng.uniform(0, 120), elevation=rng.uniform(80, 110))
    if rng.random() < _USUAL:
        picture = _add_noise(picture, rng, 2.55 * rng.uniform(0, 1.2))
    if rng.random() < _USUAL:
        picture = _motion_blur(picture, rng.uniform(-7, 5), rng.uniform(-7, 7), rng.uniform(-7, 6))
    if rng.random() < _USUAL and rng.uniform(0, 1.1) > 0.5:
        picture = cv2.medianBlur(picture, 3)
    return _jpeg(picture, int(rng.integers(70, 96)))


def distort_photo(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A staff picture as if printed on old paper and photographed by hand, uint8 (H', W').

    Ink spreads or wears off, the page bends and leans away, light is uneven, paper has a shade and a grain, the lens
    blurs, the sensor adds noise, resolution drops to as little as 7 pixels a staff space from 18, JPEG comes last.

    Raises:
        ValueError: not a uint8 (H, W) picture of 8 to 28,000 pixels a side.
    """
    _check(image)
    picture = _wear_ink(image, rng)
    resolution = _resolution(image, rng)
    picture = _warp_photo(picture, rng, resolution)
    picture = _light_paper(picture, rng)
    if rng.random() < 0.7:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.1) * resolution)
    if rng.random() < 0.2 and resolution > 0.6:
        picture = _motion_blur(picture, rng.uniform(1, 3), rng.uniform(1, 3), rng.uniform(0, 360))
    picture = _add_noise(picture, rng, rng.uniform(0, 7))
    return _jpeg(picture, int(rng.integers(35, 96)))


def _check(image: np.ndarray) -> None:
    if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape) < 8 or max(image.shape) > _MAX_SIDE:
        raise ValueError(
            f"a picture to distort must be uint8 of shape (H, W), 8 to {_MAX_SIDE} pixels a side, "
            f"got {image.dtype} of shape {image.shape}"
        )


# --- where pixels go ---------------------------------------------------------------------------------------------


def _warp_camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Implode, chop, swirl, spread, shear, wave, spread, rotate and wave of im3 as one map."""
    height, width = image.shape
    warps: list[Warp] = []
    if rng.random() < _USUAL:
        warps.append(_implode(width, height, rng.uniform(0, 0.07)))
    chop = rng.integers(0, (4, 5)) if rng.random() < _USUAL else np.zeros(2, int)
    if rng.random() < _USUAL:
        warps.append(_swirl(width, height, math.radians(rng.uniform(-3, 3))))
    spread = [reach for reach in ((0.35, 1.0), (0.5, 0.5)) if rng.random() < _USUAL]
    affine = np.eye(3)
    if rng.random() < _USUAL:
        across, down = np.tan(np.radians([rng.uniform(-5, 5), rng.uniform(-1.5, 1.5)]))
        affine = np.array([[1, across, 0], [down, 1, 0], [0, 0, 1]])
    if rng.random() < _USUAL:
        affine = _turn(rng.uniform(0, 0.3)) @ affine
    back, size = _fit(affine, width, height)
    shift = sum(_wave(rng, size[1]) for _ in range(2) if rng.random() < _USUAL)

    def where(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = back(x, y)
        for warp in reversed(warps):
            x, y = warp(x, y)
        return x, y

    map_x, map_y = _field(size, where)
    map_y += np.float32(shift)
    for reach in spread:
        _jitter(map_x, map_y, rng, reach)
    _chop(map_x, rng.uniform(0, width), float(chop[0]))
    map_y += np.float32(chop[1])  # rows from the top: a strip of rows anywhere else can be a whole staff line
    return _sample(image, map_x, map_y)


def _warp_photo(image: np.ndarray, rng: np.random.Generator, resolution: float) -> np.ndarray:
    """Turn, perspective, a bent page, margins and a lower resolution as one map."""
    height, width = image.shape
    affine = _turn(rng.normal(0, 0.9)) @ np.array([[1, rng.normal(0, 0.03), 0], [0, 1, 0], [0, 0, 1]])
    perspective = np.eye(3)
    perspective[2, :2] = rng.uniform(-0.10, 0.10) / width, rng.uniform(-0.05, 0.05) / height
    margin = rng.uniform(0, 40, size=4)
    back, size = _fit(np.diag([resolution, resolution, 1]) @ perspective @ affine, width, height, margin)
    bend, phase, period = rng.uniform(0, 0.06) * height, rng.uniform(0, 2 * math.pi), rng.uniform(0.6, 2.5) * width

    def where(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = back(x, y)
        return x, y + bend * np.sin(2 * math.pi / period * x + phase)

    map_x, map_y = _field(size, where)
    if resolution < 0.75:  # else every other line would fall between samples
        image = cv2.blur(image, (2, 2) if resolution > 0.5 else (3, 3))
    return _sample(image, map_x, map_y)


def _turn(degrees: float) -> np.ndarray:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _fit(
    matrix: np.ndarray, width: int, height: int, margin: np.ndarray | tuple[float, ...] = (0, 0, 0, 0)
) -> tuple[Warp, tuple[int, int]]:
    """The inverse of a projective matrix, moved so that the picture with its margins fills (H, W); and that size."""
    left, right, top, bottom = margin
    corners = np.array(
        [[-left, -top, 1], [width + right, -top, 1], [-left, height + bottom, 1], [width + right, height + bottom, 1]]
    )
    there = corners @ matrix.T
    there = there[:, :2] / there[:, 2:]
    low, high = there.min(axis=0), there.max(axis=0)
    size = (max(8, math.ceil(high[1] - low[1])), max(8, math.ceil(high[0] - low[0])))
    inverse = np.linalg.inv(matrix) @ np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1]])

    def back(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v, w = (row[0] * x + row[1] * y + row[2] for row in inverse)
        return u / w, v / w

    return back, size


def _field(size: tuple[int, int], where: Warp) -> tuple[np.ndarray, np.ndarray]:
    """`where` of every pixel of an (H, W) picture, two float32 arrays, interpolated between cells."""
    rows, columns = (math.ceil(n / _CELL) + 2 for n in size)
    y, x = np.meshgrid((np.arange(rows) - 0.5) * _CELL, (np.arange(columns) - 0.5) * _CELL, indexing="ij")
    full_size = (columns * _CELL, rows * _CELL)
    inner = (slice(_CELL, _CELL + size[0]), slice(_CELL, _CELL + size[1]))
    map_x, map_y = (part.astype(np.float32) - np.float32(0.5) for part in where(x, y))
    return cv2.resize(map_x, full_size)[inner], cv2.resize(map_y, full_size)[inner]


def _sample(image: np.ndarray, map_x: np.ndarray, map_y: np.ndarray) -> np.ndarray:
    return cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255)


def _implode(width: int, height: int, amount: float) -> Warp:
    """GraphicsMagick's implode: points inside the ellipse of the picture are drawn to its centre."""

    def warp(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dx, dy = x - width / 2, y - height / 2
        distance = np.hypot(dx, dy * (width / height)) / (width / 2)
        factor = np.sin(np.pi / 2 * np.clip(distance, 1e-3, 1)) ** -amount
        return width / 2 + dx * factor, height / 2 + dy * factor

    return warp


def _swirl(width: int, height: int, angle: float) -> Warp:
    """GraphicsMagick's swirl: turned by `angle` radians at the centre, not at all at the edge."""

    def warp(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stretch = width / height
        dx, dy = x - width / 2, (y - height / 2) * stretch
        turn = angle * np.maximum(0, 1 - np.hypot(dx, dy) / (width / 2)) ** 2
        sine, cosine = np.sin(turn), np.cos(turn)
        return width / 2 + cosine * dx - sine * dy, height / 2 + (sine * dx + cosine * dy) / stretch

    return warp


def _wave(rng: np.random.Generator, columns: int) -> np.ndarray:
    """Shift of every column: a sine whose wavelength, U(0, 0.4) pixels in im3, is below what pixels can show."""
    amplitude, wavelength = rng.uniform(0, 0.5), rng.uniform(0.01, 0.4)
    return (amplitude * np.sin(2 * math.pi / wavelength * np.arange(columns))).astype(np.float32)


def _jitter(map_x: np.ndarray, map_y: np.ndarray, rng: np.random.Generator, reach: tuple[float, float]) -> None:
    """Moves every place by up to `reach` pixels across and down, in place: four bits of a random byte each."""
    random = _bytes(rng, map_x.shape)
    for places, half, most in ((map_x, _BYTES >> 4, reach[0]), (map_y, _BYTES & 15, reach[1])):
        cv2.add(places, cv2.LUT(random, ((half / 7.5 - 1) * most).astype(np.float32)), dst=places)


def _bytes(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Even random bytes, uint8 (H, W): several times faster than `rng.integers`."""
    return np.frombuffer(rng.bytes(size[0] * size[1]), np.uint8).reshape(size)


def _chop(where: np.ndarray, place: float, amount: float) -> None:
    """Takes out a strip of `amount` pixels at `place`, in place."""
    if amount:
        where += (where > place) * np.float32(amount)


# --- what values become ------------------------------------------------------------------------------------------


def _shade(picture: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
    """GraphicsMagick's shade: the picture as a relief under a distant light, times the picture."""
    ones, slope = np.ones(3, np.float32), np.array([-1, 0, 1], np.float32)
    steep_x = cv2.sepFilter2D(picture, cv2.CV_16S, slope, ones)
    steep_y = cv2.sepFilter2D(picture, cv2.CV_16S, ones, slope)
    around, up = math.radians(azimuth), math.radians(elevation)
    shaded = cv2.convertScaleAbs(picture, alpha=math.sin(up))  # what lies flat
    edges = np.flatnonzero(steep_x | steep_y)  # a quarter of the pixels or fewer
    x, y = (part.ravel()[edges].astype(np.float32) for part in (steep_x, steep_y))
    toward = x * np.float32(math.cos(around) * math.cos(up)) + y * np.float32(math.sin(around) * math.cos(up))
    toward += np.float32(2 * 255 * math.sin(up))
    toward *= picture.ravel()[edges] / np.sqrt(x * x + y * y + np.float32((2 * 255) ** 2))
    shaded.ravel()[edges] = np.clip(toward, 0, 255).astype(np.uint8)
    return shaded


def _motion_blur(picture: np.ndarray, radius: float, sigma: float, degrees: float) -> np.ndarray:
    """A one-sided Gaussian along a line, as GraphicsMagick's; a radius of 0 or less takes its length from sigma."""
    sigma = max(0.3, abs(sigma))
    taps = 1 + math.ceil(radius if radius > 0 else min(6.0, 1.5 * sigma))
    weights = np.exp(-(np.arange(taps) ** 2) / (2 * sigma * sigma))
    kernel = np.zeros((2 * taps - 1, 2 * taps - 1), np.float32)
    dx, dy = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for tap, weight in enumerate(weights):
        kernel[taps - 1 + round(tap * dy), taps - 1 + round(tap * dx)] += weight
    used = np.nonzero(kernel.any(axis=1))[0]
    margin = min(int(used[0]), kernel.shape[0] - 1 - int(used[-1]))
    kernel = kernel[margin : kernel.shape[0] - margin] / kernel.sum()
    return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)


def _add_noise(picture: np.ndarray, rng: np.random.Generator, deviation: float) -> np.ndarray:
    """Adds Gaussian noise of this standard deviation in levels."""
    table = np.round(_NORMAL * deviation).astype(np.int16)
    return cv2.add(picture, cv2.LUT(_bytes(rng, picture.shape), table), dtype=cv2.CV_8U)


def _wear_ink(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink that ran or wore thin (by up to half a pixel) and faded in patches; staff lines stay, if only just."""
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.2)).astype(np.float32)
        lines = np.sort(np.median(soft, axis=1))[4]  # the fifth darkest row: as dark as the faintest staff line
        middle = max(rng.uniform(100, 190), min(lines + 10, 200))  # above 128 the ink runs, below it thins
        image = np.clip((soft - middle) * rng.uniform(2, 5) + 128, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        faded = _clouds(image.shape, rng, cell=24)
        strength = rng.uniform(0.2, 0.5)
        image = (255 - (255 - image) * (1 - strength * faded)).astype(np.uint8)
    return image


def _clouds(size: tuple[int, ...], rng: np.random.Generator, cell: int) -> np.ndarray:
    """Smooth random values in 0..1, float32 (H, W), a new one every `cell` pixels."""
    rows, columns = size[0] // cell + 2, size[1] // cell + 2
    coarse = rng.random((rows, columns), dtype=np.float32)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _resolution(image: np.ndarray, rng: np.random.Generator) -> float:
    """Pixels kept of each pixel: mostly near 1, down to 0.38 for pictures as tall as PrIMuS's."""
    return float(max(rng.uniform(0.38, 1.1), min(1.0, 40 / image.shape[0])))


def _light_paper(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Puts ink and paper in the light of a room: shades of both, a grain, a gradient and a shadow's edge."""
    height, width = picture.shape
    paper = rng.uniform(150, 255)
    ink = rng.uniform(0, 0.35) * paper
    y, x = np.linspace(-1, 1, 24, dtype=np.float32)[:, None], np.linspace(-1, 1, 96, dtype=np.float32)[None]
    light = 1 + rng.uniform(-0.22, 0.22) * x + rng.uniform(-0.12, 0.12) * y
    light = light - rng.uniform(0, 0.15) * (x * x + y * y)
    if rng.random() < 0.3:  # the shadow of a hand or of the book's fold
        edge = x * math.cos(lean := rng.uniform(-1, 1)) + 0.4 * y * math.sin(lean) - rng.uniform(-0.8, 0.8)
        light = light * (1 - rng.uniform(0.1, 0.45) / (1 + np.exp(-edge * rng.uniform(4, 40))))
    light = light * (1 + rng.uniform(0, 0.05) * (rng.random(light.shape, dtype=np.float32) - 0.5))
    field = cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    field *= picture * np.float32((paper - ink) / 255) + np.float32(ink)
    if rng.random() < 0.5:
        field += (_clouds(picture.shape, rng, cell=3) - 0.5) * np.float32(rng.uniform(0, 16))
    return np.clip(field, 0, 255).astype(np.uint8)


def _jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
