"""From a grey picture of a staff to what a CTC model reads: ink on a fixed number of rows.

Two ways of fixing the rows. `"height"` is paper 000's: scale the picture to a given height, whatever it shows.
`"staff"` finds the five lines first, straightens them, and scales so that they always fall on the same rows: a
note's pitch is then a fixed place, however tight the crop and however bent the page.

numpy and Pillow only: this file travels to the Hub with the models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

# Pictures are read at no more than this many pixels; a 40-megapixel photo of one staff carries nothing finer.
MAX_PIXELS = 4_000_000
MIN_STAFF_SPACE, MAX_STAFF_SPACE = 4.0, 120.0
_DARK = 96  # brightness of the middle pixel below which a picture may be white on black
# A comb's lines and the gaps beside them, in staff spaces from the middle line.
_LINES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
_GAPS = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])


class NoStaffError(ValueError):
    """The picture shows no five-line staff that can be followed."""


@dataclass(frozen=True)
class StaffFeatures:
    """`values` (height, width) float32, ink = 1. Column `x` came from pixel `x / scale_x + offset_x` of the picture."""

    values: np.ndarray
    scale_x: float
    offset_x: float


def staff_features(
    image: np.ndarray, *, height: int = 256, mode: str = "height", staff_space: float = 7.0, max_width: int = 16384
) -> StaffFeatures:
    """A grey staff picture, uint8 (H, W), 255 = paper, as model input.

    Args:
        height: rows of the result.
        mode: "height" scales the whole picture to `height` (paper 000); "staff" puts the staff's middle line on the
            middle row and its lines `staff_space` rows apart.
        max_width: wider results are refused (their memory grows with it).

    Raises:
        ValueError: not a uint8 (H, W) array, smaller than 8 pixels a side, or wider than `max_width`.
        NoStaffError: mode "staff" and no staff in the picture.
    """
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"a staff picture must be uint8 of shape (H, W), got {image.dtype} of shape {image.shape}")
    if min(image.shape) < 8:
        raise ValueError(f"the picture is {image.shape[1]}x{image.shape[0]} pixels: too small to show a staff")
    if mode == "height":
        return _by_height(image, height, max_width)
    if mode == "staff":
        return _by_staff(image, height, staff_space, max_width)
    raise ValueError(f'mode must be "height" or "staff", got {mode!r}')


def _by_height(image: np.ndarray, height: int, max_width: int) -> StaffFeatures:
    width = max(1, int(height * image.shape[1] / image.shape[0]))
    _check_width(width, max_width)
    scaled = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    values = (255.0 - np.asarray(scaled, dtype=np.float32)) / 255.0
    return StaffFeatures(values, width / image.shape[1], 0.0)


def _check_width(width: int, max_width: int) -> None:
    if width > max_width:
        raise ValueError(f"the staff is {width} columns wide at this height; at most {max_width} can be read")


def _by_staff(image: np.ndarray, height: int, staff_space: float, max_width: int) -> StaffFeatures:
    shrink = max(1.0, np.sqrt(image.size / MAX_PIXELS))
    if shrink > 1:
        size = (max(8, round(image.shape[1] / shrink)), max(8, round(image.shape[0] / shrink)))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    ink = normalise_ink(image)
    staff = find_staff(ink)
    scale = staff_space / staff.space
    left, right = staff.left, staff.right
    width = max(1, round((right - left) * scale))
    _check_width(width, max_width)
    strip = _straighten(ink[:, left:right], staff.middle[left:right], half=height / 2 / scale)
    values = Image.fromarray(strip).resize(
        (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    )
    clipped = np.clip(np.asarray(values, dtype=np.float32), 0.0, 1.0)
    return StaffFeatures(clipped, width / (right - left) / shrink, left * shrink)


def normalise_ink(image: np.ndarray) -> np.ndarray:
    """Ink in 0..1, float32 (H, W), with uneven light and paper removed. White on black is turned over.

    Raises:
        NoStaffError: the picture is blank.
    """
    if is_negative(image):
        image = 255 - image
    paper = _paper(image)
    ink = 1.0 - image / np.maximum(paper, 1.0)
    sample = np.sort(ink[:: max(1, ink.shape[0] // 400), :: max(1, ink.shape[1] // 1600)], axis=None)
    bare, dark = float(np.median(sample)), float(np.median(sample[-max(1, sample.size // 100) :]))
    if dark - bare < 0.06:
        raise NoStaffError("no staff found: the picture is blank")
    return np.clip((ink - bare) / (dark - bare), 0.0, 1.0).astype(np.float32)


def is_negative(image: np.ndarray, neighbourhood: int = 32) -> bool:
    """Whether a grey picture, uint8 (H, W), is white on black: dark, and what stands out of each place is lighter.

    In a photograph taken in the dark, what stands out is darker still.

    >>> dim = np.full((64, 64), 60, np.uint8)
    >>> dim[::16] = 10
    >>> is_negative(dim), is_negative(255 - dim), is_negative(70 - dim)
    (False, False, True)
    """
    if np.median(image) >= _DARK:
        return False
    side = min(neighbourhood, *image.shape)
    rows, columns = (length - length % side for length in image.shape)
    places = image[:rows, :columns].reshape(rows // side, side, columns // side, side).swapaxes(1, 2)
    low, middle, high = np.percentile(places.reshape(-1, side * side), (0, 50, 100), axis=1)
    return bool((high - middle).sum() > (middle - low).sum())


def _paper(image: np.ndarray) -> np.ndarray:
    """The light of the paper behind the ink, (H, W) float32: bright pixels of each neighbourhood, smoothed."""
    rows, columns = image.shape
    cell = 8
    padded = np.pad(image, ((0, -rows % cell), (0, -columns % cell)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // cell, cell, padded.shape[1] // cell, cell)
    bright = blocks.max(axis=(1, 3))
    from PIL import ImageFilter  # here: keeps the remote-code import list at numpy and Pillow's core

    field = Image.fromarray(bright).filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.BoxBlur(4))
    full = field.resize((padded.shape[1], padded.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(full, dtype=np.float32)[:rows, :columns]


@dataclass(frozen=True)
class Staff:
    """`middle` (W,) is the row of the middle line in each column, `space` the distance of two lines in pixels;
    the staff runs over columns `left` to `right`."""

    middle: np.ndarray
    space: float
    left: int
    right: int


def find_staff(ink: np.ndarray) -> Staff:
    """The clearest five-line staff of an ink picture (H, W), followed from side to side.

    A comb of five lines is slid over the row profile of narrow column blocks; dynamic programming joins the best rows
    of neighbouring blocks. Photographs wash thin lines out: where none are found, fainter ink counts as lines too.

    Raises:
        NoStaffError: no comb fits.
    """
    reason = NoStaffError("no staff found")
    for gain in (1.0, 2.0, 3.5):
        try:
            return _find_staff(np.minimum(ink * np.float32(gain), 1.0) if gain > 1 else ink)
        except NoStaffError as error:
            reason = error if gain == 1 else reason
    raise reason


def _find_staff(ink: np.ndarray) -> Staff:
    guess = line_distance(ink > 0.5)
    block = max(8, int(round(guess * 1.5)))
    profile = block_profiles(ink, block)
    few = profile[:, :: max(1, profile.shape[1] // 16)]
    ratios = np.linspace(0.92, 1.08, 9)  # the commonest run can be off by a pixel; equal fits stay near it
    scores = _comb_scores(few, guess * ratios)
    clear = [_clear(score) - 0.2 * abs(ratio - 1.0) for score, ratio in zip(scores, ratios, strict=True)]
    space = float(guess * ratios[int(np.argmax(clear))])
    score = comb_scores(profile, space)
    path = best_path(score, reach=max(1, int(round(0.12 * block))))
    fit = score[path, np.arange(len(path))]
    staff = _extent(_between_rows(path, score), fit, space, block, ink.shape)
    if _line_coverage(ink, staff) < 0.7:
        raise NoStaffError("no staff found: rows of ink, but no five unbroken lines")
    return staff


def _line_coverage(ink: np.ndarray, staff: Staff) -> float:
    """Share of the columns in which a line shows ink, for the second faintest of the five lines (print rubs off)."""
    inner = slice(staff.left + (staff.right - staff.left) // 20, staff.right - (staff.right - staff.left) // 20)
    strip = _straighten(ink[:, inner], staff.middle[inner], half=3 * staff.space)
    shares = []
    for line in (-2, -1, 0, 1, 2):
        row = round((3 + line) * staff.space)
        near = strip[max(0, row - 1) : row + 3].max(axis=0)
        shares.append(float((near > 0.25).mean()))
    return sorted(shares)[1]


def _clear(score: np.ndarray) -> float:
    """How well a comb fits the better three quarters of the blocks."""
    return float(np.sort(score.max(axis=0))[score.shape[1] // 4 :].mean())


def _between_rows(path: np.ndarray, score: np.ndarray, reach: int = 2) -> np.ndarray:
    """The path between the rows: the centre of each peak, weighted by how well the comb fits around it."""
    around = np.clip(path + np.arange(-reach, reach + 1)[:, None], 0, score.shape[0] - 1)
    near = score[around, np.arange(len(path))]
    weight = np.maximum(near - 0.5 * near[reach], 0.0)
    return (weight * around).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-6)


def line_distance(black: np.ndarray) -> float:
    """Distance between staff lines in pixels: the commonest black run plus white run below it, over all columns."""
    columns = black[:, :: max(1, black.shape[1] // 1500)].T
    edges = np.diff(np.pad(columns, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lane, starts = np.nonzero(edges == 1)
    same = lane[1:] == lane[:-1]
    periods = (starts[1:] - starts[:-1])[same]
    periods = periods[(periods >= MIN_STAFF_SPACE) & (periods <= MAX_STAFF_SPACE)]
    if len(periods) < 0.5 * len(columns):
        raise NoStaffError("no staff found: no evenly spaced lines in the picture")
    counts = np.bincount(periods, minlength=8).astype(np.float64)
    smooth = np.convolve(counts, [0.5, 1.0, 0.5], mode="same")
    mode = int(smooth.argmax())
    near = np.arange(max(1, mode - 1), min(len(counts), mode + 2))
    return float((counts[near] * near).sum() / max(1.0, counts[near].sum()))


def block_profiles(ink: np.ndarray, block: int) -> np.ndarray:
    """Mean ink of each row over column blocks: (H, blocks)."""
    count = max(1, ink.shape[1] // block)
    edges = np.linspace(0, ink.shape[1], count + 1).astype(int)[:-1]
    widths = np.diff(np.append(edges, ink.shape[1]))
    profile = np.add.reduceat(ink, edges, axis=1) / widths
    above, below = np.pad(profile[:-1], ((1, 0), (0, 0))), np.pad(profile[1:], ((0, 1), (0, 0)))
    return 0.5 * profile + 0.25 * (above + below)


def comb_scores(profile: np.ndarray, space: float) -> np.ndarray:
    """How well five lines around each row fit, (H, blocks): the fainter of the lines minus the ink between them."""
    return _comb_scores(profile, np.array([space]))[0]


def _comb_scores(profile: np.ndarray, spaces: np.ndarray) -> np.ndarray:
    """`comb_scores` for each of `spaces`, (S, H, blocks): in few calls of numpy, which are what takes the time."""
    height = profile.shape[0]
    padded = np.vstack([profile, np.zeros((1, profile.shape[1]), profile.dtype)])
    offsets = np.concatenate([_LINES, _GAPS])[:, None] * spaces
    position = np.arange(height, dtype=np.float64) + offsets[..., None]
    low = np.floor(position).astype(np.intp)
    part = (position - low).astype(profile.dtype)[..., None]
    low_in = np.where((low >= 0) & (low < height), low, height)
    high_in = np.where((low >= -1) & (low < height - 1), low + 1, height)
    rows = padded[low_in] * (1 - part)
    rows += padded[high_in] * part
    lines, gaps = np.minimum(rows[: len(_LINES)], 0.7), rows[len(_LINES) :]
    return 0.5 * _second_least(lines) + 0.5 * np.mean(lines, axis=0) - np.mean(gaps, axis=0)


def _second_least(values: np.ndarray) -> np.ndarray:
    """The second least value along the first axis."""
    least, second = np.minimum(values[0], values[1]), np.maximum(values[0], values[1])
    for value in values[2:]:
        second = np.minimum(second, np.maximum(least, value))
        least = np.minimum(least, value)
    return second


def best_path(score: np.ndarray, reach: int) -> np.ndarray:
    """Row of each block that maximises the summed score with steps of at most `reach` rows between blocks."""
    rows, blocks = score.shape
    steps = np.arange(-reach, reach + 1)
    cost = 0.02 * (steps / reach)[:, None] ** 2
    padded = np.full(rows + 2 * reach, -np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, rows)  # views: windows[i] is `total` moved by steps[i]
    columns, every = np.ascontiguousarray(score.T), np.arange(rows)
    came = np.zeros((blocks, rows), dtype=np.intp)
    total = columns[0]
    for block in range(1, blocks):
        padded[reach : reach + rows] = total
        options = windows - cost
        came[block] = options.argmax(axis=0)
        total = options[came[block], every] + columns[block]
    path = np.empty(blocks, dtype=np.int64)
    path[-1] = int(total.argmax())
    for block in range(blocks - 1, 0, -1):
        path[block - 1] = path[block] + steps[came[block, path[block]]]
    return path


def _extent(path: np.ndarray, fit: np.ndarray, space: float, block: int, shape: tuple[int, int]) -> Staff:
    """Where along the path there is a staff, and its middle line in every column."""
    smooth = np.convolve(np.pad(fit, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    good = np.nonzero(np.minimum(smooth, fit) > 0.15)[0]
    if len(good) < 4 or len(good) * block < 4 * space or np.median(fit[good[0] : good[-1] + 1]) < 0.2:
        raise NoStaffError("no staff found: no five parallel lines run across the picture")
    width = shape[1]
    edges = np.linspace(0, width, len(path) + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    middle = np.interp(np.arange(width), centres[good], _smooth(path[good].astype(np.float64)))
    margin = 4 * space + block  # a clef is three spaces wide, and hides the lines it stands on
    left = max(0, int(centres[good[0]] - margin))
    right = min(width, int(centres[good[-1]] + margin) + 1)
    return Staff(middle, space, left, right)


def _smooth(rows: np.ndarray) -> np.ndarray:
    if len(rows) < 5:
        return rows
    kernel = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
    return np.convolve(np.pad(rows, 2, mode="edge"), kernel, mode="valid")


def _straighten(ink: np.ndarray, middle: np.ndarray, half: float) -> np.ndarray:
    """Rows `middle - half` to `middle + half` of every column, (2 half, W): the staff made level."""
    rows = int(np.ceil(2 * half))
    top = middle - half
    low = np.floor(top).astype(np.int64)
    part = (top - low).astype(np.float32)
    above, below = max(0, -int(low.min())), max(0, int(low.max()) + rows + 1 - ink.shape[0])
    padded = np.pad(ink, ((above, below), (0, 0)))
    if low.min() == low.max() and part.max() < 0.02:
        return padded[low[0] + above : low[0] + above + rows]
    start = (low + above) * padded.shape[1] + np.arange(padded.shape[1])
    found = padded.ravel().take(start + padded.shape[1] * np.arange(rows + 1)[:, None])
    first = found[:-1]
    return first + part * (found[1:] - first)
