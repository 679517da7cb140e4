"""Features of a dataset, computed once and kept as one memory-mapped uint8 array.

Finding the staff in a PNG, or the spectrum of a FLAC, costs more than a training step of a small model; a cached
feature costs a copy.
Values are features x 255. A folder of the cache is complete or absent: parts are written beside it and renamed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from hfmusic.data.staves import StaveChunk, stave_chunks

Extractor = Callable[[bytes], np.ndarray]
_VERSION = 1


@dataclass
class FeatureCache:
    """`features` uint8, flat; item i is `features[offsets[i]:offsets[i + 1]]`, shape (height, widths[i]), ink = 255.

    `failed` names what has no features: {id, error}.
    """

    folder: Path
    height: int
    features: np.ndarray
    offsets: np.ndarray
    ids: list[str]
    texts: list[str]
    failed: list[dict[str, str]]

    @property
    def widths(self) -> np.ndarray:
        return np.diff(self.offsets) // self.height

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> np.ndarray:
        """Features of an item, uint8 (height, width), a view of the file."""
        return self.features[self.offsets[index] : self.offsets[index + 1]].reshape(self.height, -1)

    @classmethod
    def open(cls, folder: Path) -> FeatureCache:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        features = np.load(folder / "features.npy", mmap_mode="r") if index["ids"] else np.zeros(0, np.uint8)
        offsets = np.asarray(index["offsets"], dtype=np.int64)
        return cls(folder, index["height"], features, offsets, index["ids"], index["texts"], index["failed"])


def feature_cache(
    dataset: str | Path,
    extract: Extractor,
    *,
    description: str,
    cache_dir: str | Path,
    split: str = "train",
    image: str = "image",
    encoding: str = "semantic",
    num_proc: int = 1,
) -> FeatureCache:
    """Open the cached features of a split, computing them first if they are not there.

    Args:
        extract: a file's bytes -> features float (height, width) in 0..1, ink = 1; picklable. A ValueError of it drops
            the item.
        description: everything `extract` depends on, as text: part of the cache's key with the dataset's files.

    A killed build continues where it stopped: finished parts are kept.
    """
    chunks = stave_chunks(dataset, split=split, image=image, encoding=encoding)
    folder = Path(cache_dir) / _key(chunks, description)
    if not (folder / "index.json").is_file():
        _build(chunks, extract, folder, num_proc, f"features {Path(dataset).name} {split} {image}")
    return FeatureCache.open(folder)


def _key(chunks: list[StaveChunk], description: str) -> str:
    digest = hashlib.sha256(f"{_VERSION}|{description}|{chunks[0].column}|{chunks[0].encoding}".encode())
    for path in dict.fromkeys(path for chunk in chunks for path in chunk.paths):
        size = path.stat().st_size
        with path.open("rb") as file:  # a Parquet file ends with its statistics and offsets: the ends tell it apart
            head = file.read(65536)
            file.seek(max(0, size - 65536))
            digest.update(f"{path.name}|{size}|".encode() + head + file.read())
    return digest.hexdigest()[:24]


def _build(chunks: list[StaveChunk], extract: Extractor, folder: Path, num_proc: int, title: str) -> None:
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    parts = [partial / f"part-{number:05d}.npz" for number in range(len(chunks))]
    todo = [(chunk, part) for chunk, part in zip(chunks, parts, strict=True) if not part.is_file()]
    progress = tqdm(total=sum(chunk.count for chunk in chunks), desc=title, unit="staff")
    progress.update(progress.total - sum(chunk.count for chunk, _ in todo))
    if num_proc <= 1:
        for chunk, part in todo:
            progress.update(_write_part(chunk, extract, part))
    else:
        with ProcessPoolExecutor(num_proc) as pool:
            for future in as_completed([pool.submit(_write_part, chunk, extract, part) for chunk, part in todo]):
                progress.update(future.result())
    progress.close()
    _join(parts, partial)
    partial.rename(folder)


def _write_part(chunk: StaveChunk, extract: Extractor, part: Path) -> int:
    flat, shapes, ids, texts, failed = [], [], [], [], []
    for stave in chunk.read():
        try:
            features = extract(stave.encoded)
        except (ValueError, OSError) as error:
            failed.append({"id": stave.id, "error": str(error)})
            continue
        flat.append(np.clip(np.rint(np.asarray(features) * 255), 0, 255).astype(np.uint8).ravel())
        shapes.append(features.shape)
        ids.append(stave.id)
        texts.append(stave.text)
    meta = json.dumps({"shapes": shapes, "ids": ids, "texts": texts, "failed": failed})
    temporary = part.with_suffix(".tmp.npz")
    joined = np.concatenate(flat) if flat else np.zeros(0, np.uint8)
    np.savez(temporary, features=joined, meta=np.frombuffer(meta.encode(), np.uint8))
    temporary.replace(part)
    return chunk.count


def _join(parts: list[Path], folder: Path) -> None:
    metas = []
    for part in parts:
        with np.load(part) as data:
            metas.append(json.loads(data["meta"].tobytes()))
    shapes = [shape for meta in metas for shape in meta["shapes"]]
    heights = {height for height, _ in shapes}
    if len(heights) > 1:
        raise ValueError(f"features of one dataset must have one height, got {sorted(heights)}")
    offsets = np.concatenate([[0], np.cumsum([height * width for height, width in shapes], dtype=np.int64)])
    if shapes:
        joined = np.lib.format.open_memmap(folder / "features.npy", "w+", np.uint8, (int(offsets[-1]),))
        start = 0
        for part in parts:
            with np.load(part) as data:
                features = data["features"]
            joined[start : start + len(features)] = features
            start += len(features)
        joined.flush()
    index: dict[str, object] = {}
    for key in ("ids", "texts", "failed"):
        index[key] = [entry for meta in metas for entry in meta[key]]
    index |= {"height": heights.pop() if heights else 0, "offsets": offsets.astype(int).tolist()}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    for part in parts:
        part.unlink()


def clear_partial(cache_dir: str | Path) -> None:
    """Remove what killed builds left in a cache folder."""
    for folder in Path(cache_dir).glob("*.partial"):
        shutil.rmtree(folder)
