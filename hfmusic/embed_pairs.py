"""What a two-tower model makes of a split of renditions: vectors of snippets and excerpts that belong together, vectors
to identify pieces by, and paths to follow pieces along."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hfmusic.data.sheets import SheetAudio, SheetRow, read_sheet_audio, unroll
from hfmusic.metrics.alignment import alignment_errors, linear_map
from hfmusic.retrieval.dtw import BALANCED, Ends, warp
from hfmusic.retrieval.dtw import Path as WarpPath
from hfmusic.retrieval.multiscale import chance_cost
from hfmusic.training.pair_cache import pair_places

if TYPE_CHECKING:
    from hfmusic.hub import Loaded

EXCERPTS = 100  # of a recording that is to be identified (paper 003's code)
PART_SECONDS = 20.0
SHEET_STEP = 10  # pixels from one snippet to the next, and frames from one excerpt to the next, in an alignment
FRAME_STEP = 2
SKIP = 0.5  # of the cost of chance: what it costs "free" to leave out an excerpt or a snippet at an end


class Excerpts(NamedTuple):
    """Of a recording: vectors, float32 (K, d), and the seconds (K,) of their middles."""

    vectors: np.ndarray
    seconds: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """The pairs of one rendition, and what identifies its piece.

    Attributes:
        score, audio: float32 (M, d), row i of both of the same onset.
        quarters: (M,), where in the score these are.
        keys: int64 (M, 3), numbers of the music that the excerpt holds, of the snippet's pixels and of the excerpt's
            values: where one of them is the same, so is what it stands for.
        recording, part: excerpts spread over all of the recording, and over 20 seconds of it.
    """

    id: str
    piece: str
    score: np.ndarray
    audio: np.ndarray
    quarters: np.ndarray
    keys: np.ndarray
    recording: Excerpts
    part: Excerpts


class PairEmbedder:
    """A model and its processor on whole renditions; memory holds one batch of pictures at a time.

    Args:
        loaded: an `AudioScoreModel` in eval mode and its `AudioScoreProcessor`.
    """

    def __init__(self, loaded: Loaded, *, batch_size: int = 64) -> None:
        self.model: Any = loaded.model
        self.processor: Any = loaded.processor
        self.batch_size = batch_size

    def spectrogram(self, rendition: SheetAudio) -> np.ndarray:
        """Float32 (T, bands) of its sound.

        Raises:
            ValueError: no sound, or a damaged one; names the rendition.
        """
        from hfmusic.models.audio_reading import open_sound

        rate = self.processor.sampling_rate
        return self.processor.spectrogram(open_sound(rendition.audio, sampling_rate=rate, name=rendition.id))

    def row(self, rendition: SheetAudio) -> SheetRow:
        """Its systems as one row, unscaled and as high as the model's snippets."""
        return unroll(rendition.sheet, height=self.processor.image_height, fit=self.processor.fitted_height)

    def audio(self, spectrogram: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (N, d) of the excerpts around moments, and their keys (N,)."""
        return self._embed(self.model.get_audio_features, lambda at: self.processor.excerpts(spectrogram, at), seconds)

    def score(self, row: SheetRow, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (N, d) of the snippets around pixels of a row, and their keys (N,)."""
        return self._embed(self.model.get_score_features, lambda at: self.processor.snippets(row.image, at), places)

    def _embed(
        self, network: Callable[..., Any], cut: Callable[[np.ndarray], np.ndarray], places: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        import torch

        vectors, keys = [], []
        for start in range(0, len(places), self.batch_size):
            batch = cut(places[start : start + self.batch_size])
            keys += [_key(one) for one in batch]
            with torch.inference_mode():
                vectors.append(network(torch.from_numpy(batch).to(self.model.device)).float().cpu().numpy())
        if not vectors:
            return np.zeros((0, self.model.config.embedding_size), np.float32), np.zeros(0, np.int64)
        return np.concatenate(vectors), np.array(keys, np.int64)


def embed_split(embedder: PairEmbedder, data: str | Path, split: str = "test", *, seed: int = 0) -> list[Pairs]:
    """Embed all pairs of a split, rendition by rendition.

    Args:
        seed: draws where the 20 seconds begin.

    Raises:
        ValueError: no such data, a damaged rendition, or no pair in all of them.
    """
    from tqdm.auto import tqdm

    found = []
    for number, rendition in enumerate(tqdm(read_sheet_audio(data, split), desc="embedding", unit="rendition")):
        found.append(_pairs(embedder, rendition, np.random.default_rng([seed, number])))
    if not any(len(pairs.score) for pairs in found):
        raise ValueError(f"{data} has no pair of a snippet and an excerpt in split {split!r}")
    return found


def _pairs(embedder: PairEmbedder, rendition: SheetAudio, rng: np.random.Generator) -> Pairs:
    row, spectrogram = embedder.row(rendition), embedder.spectrogram(rendition)
    places = list(pair_places(rendition.sheet, row, embedder.processor, len(spectrogram)))
    score, pixels = embedder.score(row, np.array([one.x for one in places]))
    audio, values = embedder.audio(spectrogram, np.array([one.frame for one in places]) / embedder.processor.frame_rate)
    music = np.array([one.content for one in places], np.int64)
    length = len(spectrogram) / embedder.processor.frame_rate
    part = min(PART_SECONDS, length)
    begin = float(rng.uniform(0, length - part))
    spread = [spread_seconds(*span, embedder.processor) for span in ((0.0, length), (begin, begin + part))]
    recording, of_part = (Excerpts(embedder.audio(spectrogram, seconds)[0], seconds) for seconds in spread)
    keys, quarters = np.stack([music, pixels, values], axis=1), np.array([one.quarter for one in places])
    return Pairs(rendition.id, rendition.piece, score, audio, quarters, keys, recording=recording, part=of_part)


def spread_seconds(begin: float, end: float, processor: Any) -> np.ndarray:
    """`EXCERPTS` moments from `begin` to `end` whose excerpts lie between them, evenly spread; of a shorter span its
    middle.

    >>> from types import SimpleNamespace
    >>> spread_seconds(10, 30, SimpleNamespace(frames=40, frame_rate=20))[[0, -1]].tolist()
    [11.0, 29.0]
    """
    half = processor.frames / processor.frame_rate / 2
    if end - begin <= 2 * half:
        return np.array([(begin + end) / 2])
    return np.linspace(begin + half, end - half, EXCERPTS)


@dataclass(frozen=True)
class Followed:
    """Errors at the onsets of one rendition, in page widths, by what followed it.

    Attributes:
        errors: of "dtw", paper 003's way; "linear", its baseline, the diagonal; "ends", a line from the first onset to
            the last; "free": DTW that pays all ways through alike, may leave out both ends, and takes the mean of an
            excerpt's snippets, not the first.
    """

    id: str
    errors: dict[str, np.ndarray]


def follow_split(
    embedder: PairEmbedder, data: str | Path, split: str = "test", *, count: int | None = None
) -> list[Followed]:
    """Align renditions of a split as paper 003 does: `count` of them, evenly spread (None: all).

    Raises:
        ValueError: no such data, or a damaged rendition.
    """
    from tqdm.auto import tqdm

    count, chosen = spread_renditions(data, split, count)
    return [_follow(embedder, one) for one in tqdm(chosen, total=count, desc="following", unit="rendition")]


def spread_renditions(data: str | Path, split: str, count: int | None) -> tuple[int, Iterator[SheetAudio]]:
    """How many, and the renditions of a split that `evenly` chooses.

    Raises:
        ValueError: no such data; while they are read, a damaged rendition.
    """
    total = sum(1 for _ in read_sheet_audio(data, split))
    wanted = set(evenly(total, count).tolist())
    return len(wanted), (one for place, one in enumerate(read_sheet_audio(data, split)) if place in wanted)


def _follow(embedder: PairEmbedder, rendition: SheetAudio) -> Followed:
    row, spectrogram = embedder.row(rendition), embedder.spectrogram(rendition)
    rate, width = embedder.processor.frame_rate, row.image.shape[1]
    seconds = np.arange(0, len(spectrogram), FRAME_STEP) / rate
    places = np.arange(0, width, SHEET_STEP, dtype=np.float64)
    audio, score = embedder.audio(spectrogram, seconds)[0], embedder.score(row, places)[0]
    skip = SKIP * chance_cost(audio, score)
    free = warp(audio, score, steps=BALANCED, ends=Ends(skip, skip))
    onsets, wanted = written_places(rendition, row)
    maps = {
        "dtw": _map_of(warp(audio, score), seconds, places, first=True),
        "free": _map_of(free, seconds, places, first=False),
        "linear": linear_map(0, len(spectrogram) / rate, 0, width),
        "ends": linear_map(onsets[0], onsets[-1], wanted[0], wanted[-1]),
    }
    return Followed(rendition.id, {name: alignment_errors(onsets, wanted, *one) for name, one in maps.items()})


def _map_of(path: WarpPath, seconds: np.ndarray, places: np.ndarray, *, first: bool) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the excerpts on a path, and pixels: of each one's first snippet (the paper's code), or their mean."""
    rows, begins, counts = np.unique(path.rows, return_index=True, return_counts=True)
    columns = path.columns[begins] if first else np.add.reduceat(path.columns, begins) / counts
    return seconds[rows], np.interp(columns, np.arange(len(places)), places)


def written_places(rendition: SheetAudio, row: SheetRow) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (N,), ascending, and pixels in the row (N,) of every notehead."""
    notes = sorted(rendition.sheet.notes, key=lambda note: note.onset_seconds)
    pairs = [(note.onset_seconds, row.x_of(note.system, note.x)) for note in notes]
    seconds, places = np.array(pairs, np.float64).reshape(-1, 2).T
    return seconds, places


def evenly(total: int, count: int | None) -> np.ndarray:
    """`count` of `total` numbers from 0 on, evenly spread from the first to the last; all, if there are no more.

    >>> evenly(10, 4).tolist(), evenly(3, None).tolist(), evenly(2, 5).tolist()
    ([0, 3, 6, 9], [0, 1, 2], [0, 1])
    """
    if count is None or count >= total:
        return np.arange(total)
    return np.round(np.linspace(0, total - 1, count)).astype(np.int64)


def unique_pairs(pairs: list[Pairs]) -> Iterator[tuple[int, int]]:
    """(rendition, pair) of each pair whose music, snippet and excerpt no pair before it has: renditions of one piece
    share their snippets, and what a score repeats nobody can tell apart."""
    seen: list[set[int]] = [set(), set(), set()]
    for number, one in enumerate(pairs):
        for place, keys in enumerate(one.keys.tolist()):
            if not any(key in known for key, known in zip(keys, seen, strict=True)):
                yield number, place
                for key, known in zip(keys, seen, strict=True):
                    known.add(key)


def _key(values: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(values.tobytes(), digest_size=8).digest(), "big", signed=True)
