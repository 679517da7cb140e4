"""Staves in PrIMuS's manner: which tunes go into which split and shard, and the row that each becomes.

A plan is made first, by one process and without drawing anything: tunes in a fixed order, their variations, texts that
two splits would share dropped, the rest shuffled by a hash. Rows then depend on their item and the seed alone.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from tqdm.auto import tqdm

from hfmusic.data.corpora import (
    Refusal,
    Tune,
    music21_tunes,
    openscore_tunes,
    primus_folder,
    primus_work,
    rism_tunes,
)
from hfmusic.data.courtesy import with_courtesy_accidentals
from hfmusic.data.generate import generated_tunes
from hfmusic.data.primus_rows import item_rng, pack_score
from hfmusic.data.shard_plans import SPLITS, digest, write_split_plan
from hfmusic.data.shards import Row, Shard
from hfmusic.data.splits import split_of
from hfmusic.data.vary import vary
from hfmusic.files import write_atomic
from hfmusic.symbolic.agnostic import write_agnostic
from hfmusic.symbolic.score import NotationError, Score
from hfmusic.symbolic.semantic import semantic_text, split_tokens, write_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary

ENCODINGS = ("semantic", "agnostic")
SOURCES = ("rism", "music21", "openscore", "primus")
# A text that two splits share stays where it is needed most.
_RANK = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class PrimusSettings:
    """What a build depends on.

    Attributes:
        n: rows to plan, None for all. The first n in the order of the sources, so that a small build is quick.
        variations: copies of each training tune that `vary` changes (key, clef, note values ...).
        generated: tunes drawn from RISM's statistics, training only.
        distorted: also make the distorted image; without it the column is empty.
        data_dir: folder of the sources "primus" and "openscore".
        splits: "official" keeps PrIMuS's own test ids as they are, which share works with its training ids; "work"
            splits its incipits by source work like all others.
        encodings: a tune must be in the official vocabularies of these. Without "agnostic", its column has tokens
            outside the vocabulary, or nothing where the encoding has no word: rare figures stay in semantic training.
    """

    n: int | None = None
    seed: int = 0
    sources: tuple[str, ...] = ("rism", "music21")
    generated: int = 0
    variations: int = 0
    distorted: bool = True
    rows_per_shard: int = 500
    data_dir: str | None = None
    splits: str = "official"
    encodings: tuple[str, ...] = ENCODINGS

    def __post_init__(self) -> None:
        unknown = [source for source in self.sources if source not in SOURCES]
        if unknown:
            raise ValueError(f"sources must be among {', '.join(SOURCES)}, got {', '.join(map(repr, unknown))}")
        for name, least in (("n", 1), ("generated", 0), ("variations", 0), ("rows_per_shard", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not self.encodings or not set(self.encodings) <= set(ENCODINGS):
            raise ValueError(
                f"encodings must be among {', '.join(ENCODINGS)}, got {', '.join(map(repr, self.encodings))}"
            )
        if self.splits not in ("official", "work"):
            raise ValueError(f"splits must be official or work, got {self.splits!r}")
        needy = [source for source in self.sources if source in ("openscore", "primus")]
        if needy and not self.data_dir:
            raise ValueError(f"source {needy[0]!r} needs data_dir, the folder it lies in")

    def public(self) -> dict[str, Any]:
        """The settings as build.json keeps them: no path of this machine, and nothing that has no effect."""
        folder = Path(self.data_dir).name if self.data_dir else None
        settings = asdict(self) | {name: list(getattr(self, name)) for name in ("sources", "encodings")}
        settings["data_dir"] = folder
        if "primus" not in self.sources:
            del settings["splits"]
        return settings


def source_tunes(settings: PrimusSettings, refused: list[Refusal]) -> Iterator[Tune]:
    """The tunes of all sources in their order, without variations; what cannot be read is added to `refused`."""
    folder = settings.data_dir or ""
    readers: dict[str, Callable[[], Iterator[Tune]]] = {
        "rism": lambda: rism_tunes(refused),
        "music21": music21_tunes,
        "openscore": lambda: openscore_tunes(folder),
        "primus": lambda: primus_folder(folder, refused=refused),
    }
    for source in settings.sources:
        yield from readers[source]()
    if settings.generated:
        yield from generated_tunes(settings.generated, settings.seed)


@cache
def official_test_ids() -> frozenset[str]:
    """The 8,923 ids of PrIMuS's test.txt."""
    packed = files("hfmusic.data").joinpath("primus_test_ids.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode("ascii").split())


@cache
def official_test_works() -> frozenset[str]:
    """The source works of `official_test_ids`."""
    return frozenset(map(primus_work, official_test_ids()))


def tune_split(tune: Tune, settings: PrimusSettings) -> str:
    """Split of a tune by its source work; generated tunes only train.

    With official splits: PrIMuS's test ids test, the rest of PrIMuS trains and validates, and what other sources have
    of the works it tests on tests too.
    """
    if tune.source == "generated":
        return "train"
    split = split_of(tune.work)
    if "primus" not in settings.sources or settings.splits == "work":
        return split
    if tune.source != "primus":
        return "test" if tune.work in official_test_works() else split
    if tune.id in official_test_ids():
        return "test"
    listed = tune.work.startswith("rism:")
    return "train" if listed and split == "test" else split


def plan_items(settings: PrimusSettings, dropped: Counter[str]) -> Iterator[Row]:
    """Items of the tunes and their variations in order, with their texts; `dropped` counts the refused by reason."""
    refused: list[Refusal] = []
    for tune in source_tunes(settings, refused):
        split = tune_split(tune, settings)
        if tune.source == "generated":
            rng = item_rng(settings.seed, tune.id, "courtesy")
            tune = replace(tune, score=with_courtesy_accidentals(tune.score, rng))
        item = _item(tune, split, settings, dropped)
        if item is None:
            continue
        yield item
        if split == "train" and tune.source != "generated":
            yield from _variations(tune, settings, dropped)
    dropped.update(f"unreadable: {refusal.reason}" for refusal in refused)


def _variations(tune: Tune, settings: PrimusSettings, dropped: Counter[str]) -> Iterator[Row]:
    for number in range(1, settings.variations + 1):
        identifier = f"{tune.id}-v{number}"
        varied = vary(tune, item_rng(settings.seed, identifier, "vary"))
        score = with_courtesy_accidentals(varied.score, item_rng(settings.seed, identifier, "courtesy"))
        # The files of a PrIMuS item show the tune, not its variation.
        item = _item(replace(varied, id=identifier, score=score, files={}), "train", settings, dropped)
        if item is not None:
            yield item


def _item(tune: Tune, split: str, settings: PrimusSettings, dropped: Counter[str]) -> Row | None:
    given = {kind: str(path) for kind, path in tune.files.items()}
    writers: dict[str, Callable[[Score], list[str]]] = {"semantic": write_semantic, "agnostic": write_agnostic}
    texts: dict[str, str | None] = dict.fromkeys(ENCODINGS)
    for encoding, write in writers.items():
        wanted = encoding in settings.encodings or encoding == "semantic"
        try:
            tokens = _given_tokens(given, encoding) or write(tune.score)
            texts[encoding] = semantic_text(tokens)
        except NotationError as error:
            if wanted:
                dropped[error.reason] += 1
                return None
            continue
        vocabulary = load_vocabulary(encoding)
        if encoding in settings.encodings and not all(token in vocabulary for token in tokens):
            dropped[f"outside the {encoding} vocabulary"] += 1
            return None
    return {
        "id": tune.id,
        "work": tune.work,
        "source": tune.source,
        "split": split,
        **texts,
        "score": pack_score(tune.score),
        "files": given,
    }


def _given_tokens(given: dict[str, str], kind: str) -> list[str] | None:
    return split_tokens(Path(given[kind]).read_text(encoding="utf-8")) if kind in given else None


def write_plan(settings: PrimusSettings, folder: Path) -> dict[str, Any]:
    """Write the plan: `folder`/SPLIT-NNNNN.jsonl for each shard, and plan.json. Returns plan.json's content.

    Memory grows by a few hundred bytes an item: texts are compared by digest and items wait on disk.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dropped: Counter[str] = Counter()
    candidates = folder / "candidates.jsonl"
    with candidates.open("wb") as file:
        kept = _distinct(plan_items(settings, dropped), settings.n, file, dropped)
    plan: dict[str, Any] = {"dropped": dict(sorted(dropped.items())), "shards": []}
    with candidates.open("rb") as file:
        for split in SPLITS:
            offsets = sorted((order, offset) for part, order, offset in kept.values() if part == split)
            plan["shards"] += write_split_plan(split, offsets, file, folder, settings.rows_per_shard)
    candidates.unlink()
    write_atomic(folder / "plan.json", json.dumps(plan))
    return plan


def plan_shards(plan: dict[str, Any], folder: Path, data: Path) -> list[Shard]:
    """The shards of a plan."""
    return [Shard(folder / f"{name}.jsonl", data / f"{name}.parquet", count) for name, count in plan["shards"]]


def _distinct(
    items: Iterator[Row], n: int | None, file: BinaryIO, dropped: Counter[str]
) -> dict[bytes, tuple[str, bytes, int]]:
    """Write items to `file`; returns semantic digest -> (split, shuffling key, offset), one for each distinct text."""
    kept: dict[bytes, tuple[str, bytes, int]] = {}
    identifiers: set[bytes] = set()
    for item in tqdm(items, desc="plan", unit="tune", total=n, mininterval=1.0):
        order = digest(item["id"])
        if order in identifiers:
            raise ValueError(f"two tunes of the sources have the id {item['id']!r}")
        identifiers.add(order)
        text = digest(item["semantic"])
        rival = kept.get(text)
        if rival is not None and rival[0] == "test" and item["id"] in official_test_ids():
            text = digest(item["id"] + item["semantic"])  # a published test set stays whole
        elif rival is not None:
            same = rival[0] == item["split"]
            dropped["duplicate" if same else "in another split"] += 1
            if _RANK[rival[0]] >= _RANK[item["split"]]:
                continue
        kept[text] = (item["split"], order, file.tell())
        file.write(json.dumps(item, separators=(",", ":")).encode() + b"\n")
        if n is not None and len(kept) == n:
            break
    return kept
