"""The verb `evaluate`: a model and labelled staves in, error rates and `metrics.json` out."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hfmusic
from hfmusic.data.staves import Stave, read_staves, stave_chunks
from hfmusic.files import write_atomic
from hfmusic.metrics.hearing import heard_breakdown
from hfmusic.metrics.sequence import EditBreakdown, edit_breakdown, sequence_error_rate, symbol_error_rate

if TYPE_CHECKING:
    from hfmusic.hub import Loaded
    from hfmusic.models.processing_ctc import CTCResult

CHUNK = 128
SAME = ("metric", "dataset", "split", "image", "method", "model", "system")


@dataclass(frozen=True)
class Readings:
    """What a model read on labelled staves: one id, reference, prediction and list of the prediction's confidences a
    staff. `failures` maps ids to why a staff could not be read; its prediction is empty.
    """

    ids: list[str] = field(default_factory=list)
    references: list[list[str]] = field(default_factory=list)
    predictions: list[list[str]] = field(default_factory=list)
    confidences: list[list[float]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def breakdown(self) -> EditBreakdown:
        """The edits by kind of symbol (semantic tokens)."""
        return edit_breakdown(self.references, self.predictions)


def evaluate(
    model: str | Path | Loaded,
    data: str | Path,
    *,
    split: str = "test",
    image: str | None = None,
    n: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    method: str | None = None,
    batch_size: int = 16,
) -> list[dict[str, Any]]:
    """Measure a model on labelled staves; prints a table of errors by kind of symbol to stderr.

    For sounds it also tells which errors no ear could avoid (`hfmusic.metrics.hearing`); the metric
    "audible_symbol_error_rate" leaves those out. A transcriber of many voices is measured on recordings with their
    notes instead, without image, method and batch_size: see `hfmusic.evaluate_notes`; an embedding of audio and scores
    on renditions: `hfmusic.evaluate_pairs`; of audio and piano rolls: `hfmusic.evaluate_rolls`.

    Args:
        model: a name or path as `hfmusic.load` takes, or what it returned.
        data: a dataset folder of Parquet files, or of pairs (`ID.png` or `ID.flac`, and `ID.semantic`).
        split: of a dataset; pairs have none and are all read.
        image: "image" (clean), "distorted" or "audio". None: "image", or "audio" for a model that only hears.
        n: measure only so many staves, drawn with `seed`.
        out: a `metrics.json` to write; numbers of other data in it are kept, of the same data replaced.
        method: "greedy", "beam" or "meter", as the processor decodes; None: its default.

    Returns:
        Rows {metric, value, unit, dataset, split, n, scale, seed, command, date, version} and also image, method and
        model. Staves that cannot be read count as read empty.

    Raises:
        ValueError: no such model or data, or an unknown split, image or method.
    """
    loaded = _loaded(model)
    other = _other_measure(loaded)
    if other is not None:
        measure, does, images = other
        if image not in images or method is not None:
            raise ValueError(f"{does} in one way, got image {image} and method {method}")
        return measure(loaded, data, split=split, n=n, out=out, seed=seed, name=_name(model))
    image, method = image or _column(loaded), method or loaded.processor.default_method
    readings, total = read_split(
        loaded, data, split=split, image=image, n=n, seed=seed, method=method, batch_size=batch_size
    )
    about = {
        "dataset": Path(data).resolve().name,
        "split": split,
        "n": len(readings.ids),
        "scale": "full" if len(readings.ids) == total else f"{len(readings.ids)} of {total} staves",
        "seed": seed,
        "command": _command(model, data, split=split, image=image, n=n, method=method, seed=seed),
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
        "image": image,
        "method": method,
        "model": _name(model),
    }
    rows = [{**row, **about} for row in error_rates(readings, heard=image == "audio")]
    _tell(readings, heard=image == "audio")
    if out is not None:
        write_metrics(out, rows)
    return rows


def error_rates(readings: Readings, *, heard: bool = False) -> list[dict[str, Any]]:
    """Rows {metric, value, unit} of some readings; `heard`: of sounds."""
    values = {
        "symbol_error_rate": symbol_error_rate(readings.references, readings.predictions),
        "sequence_error_rate": sequence_error_rate(readings.references, readings.predictions),
    }
    if heard:
        split = heard_breakdown(readings.references, readings.predictions)
        values["audible_symbol_error_rate"] = split["percent"]["audible"]
    return [{"metric": metric, "value": value, "unit": "%"} for metric, value in values.items()]


def _loaded(model: str | Path | Loaded) -> Loaded:
    from hfmusic.hub import load

    return load(str(model), runtime="torch") if isinstance(model, str | Path) else model


def _column(loaded: Loaded) -> str:
    return "image" if "image" in loaded.processor.modalities else "audio"


def _other_measure(loaded: Loaded) -> tuple[Callable[..., list[dict[str, Any]]], str, tuple[str | None, ...]] | None:
    """Of a model that reads no staves: what measures it, what it does, and the names its input may be called by."""
    if hasattr(loaded.processor, "transcribe"):
        from hfmusic.evaluate_notes import evaluate_notes

        return evaluate_notes, "a transcriber hears recordings", (None, "audio")
    if getattr(getattr(loaded.model, "config", None), "score_input", "") == "roll":
        from hfmusic.evaluate_rolls import evaluate_rolls

        return evaluate_rolls, "an embedding compares audio and piano rolls", (None,)
    if hasattr(loaded.processor, "snippets"):
        from hfmusic.evaluate_pairs import evaluate_pairs

        return evaluate_pairs, "an embedding compares audio and scores", (None,)
    return None


def read_split(
    loaded: Loaded,
    data: str | Path,
    *,
    split: str,
    image: str,
    n: int | None = None,
    seed: int = 0,
    method: str = "greedy",
    batch_size: int = 16,
) -> tuple[Readings, int]:
    """What a model reads on a split (options as `evaluate`'s), and how many staves the split has."""
    from hfmusic.models.processing_ctc import METHODS

    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    encoding, modality = _encoding(loaded), "audio" if image == "audio" else "image"
    total = sum(chunk.count for chunk in stave_chunks(data, split=split, image=image, encoding=encoding))
    staves = read_staves(data, split=split, image=image, encoding=encoding, n=n, seed=seed)
    total_read = min(total, n or total)
    readings = read_all(loaded, staves, method=method, batch_size=batch_size, total=total_read, modality=modality)
    return readings, total


def read_all(
    loaded: Loaded,
    staves: Iterator[Stave] | Sequence[Stave],
    *,
    method: str,
    batch_size: int,
    total: int | None = None,
    modality: str = "image",
) -> Readings:
    """Read staves in batches of similar width; memory holds `CHUNK` pictures or sounds at a time."""
    from tqdm.auto import tqdm

    readings = Readings()
    waiting: list[Stave] = []
    for stave in tqdm(staves, total=total, desc="reading", unit="staff"):
        waiting.append(stave)
        if len(waiting) == CHUNK:
            _read_chunk(loaded, waiting, readings, method, batch_size, modality)
            waiting = []
    if waiting:
        _read_chunk(loaded, waiting, readings, method, batch_size, modality)
    return readings


def _read_chunk(
    loaded: Loaded, staves: list[Stave], readings: Readings, method: str, batch_size: int, modality: str
) -> None:
    found: dict[int, CTCResult] = {}
    features: dict[int, Any] = {}
    for row, stave in enumerate(staves):
        try:
            features[row] = _inputs(loaded, stave, modality)
        except ValueError as error:
            readings.failures[stave.id] = str(error)
    order = sorted(features, key=lambda row: features[row]["input_features"].shape[-1])
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        results = _read_batch(loaded, [features[row] for row in rows], method, modality)
        found.update(zip(rows, results, strict=True))
    for row, stave in enumerate(staves):
        readings.ids.append(stave.id)
        readings.references.append(stave.text.split())
        result = found.get(row)
        readings.predictions.append(list(result.tokens) if result else [])
        readings.confidences.append(list(result.confidences) if result else [])


def _inputs(loaded: Loaded, stave: Stave, modality: str) -> Any:
    """A stave's picture or sound as the model takes it."""
    from hfmusic.models.audio_reading import open_sound
    from hfmusic.models.image_reading import decode_picture

    if modality == "image":
        return loaded.processor(images=decode_picture(stave.encoded, stave.id), return_tensors="pt")
    rate = loaded.processor.feature_extractor.sampling_rate
    return loaded.processor(audio=open_sound(stave.encoded, sampling_rate=rate, name=stave.id), return_tensors="pt")


def _read_batch(loaded: Loaded, inputs: list[Any], method: str, modality: str) -> list[CTCResult]:
    """Results of staves already processed one by one: padded here, so that each picture is processed once."""
    import torch

    network: Any = loaded.model
    widths = [one["input_features"].shape[-1] for one in inputs]
    features = torch.zeros(len(inputs), 1, inputs[0]["input_features"].shape[2], max(widths))
    mask = torch.zeros(len(inputs), max(widths), dtype=torch.long)
    for row, (one, width) in enumerate(zip(inputs, widths, strict=True)):
        features[row, :, :, :width] = one["input_features"][0]
        mask[row, :width] = one["attention_mask"][0]
    with torch.inference_mode():
        mask_there = mask.to(network.device)
        logits = network(features.to(network.device), attention_mask=mask_there, modality=modality).logits.cpu()
    return loaded.processor.decode(logits, {"attention_mask": mask}, method=method)


def write_metrics(path: str | Path, rows: list[dict[str, Any]]) -> Path:
    """Merge rows into a `metrics.json`: rows of the same metric, data, model and method are replaced, others kept.

    Raises:
        ValueError: the file is there and is no list of rows.
    """
    path = Path(path)
    before: Any = []
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            raise ValueError(f"{path}: not JSON; metrics are added to a list of rows") from None
    if not isinstance(before, list) or not all(isinstance(row, dict) for row in before):
        raise ValueError(f"{path}: not a list of rows; metrics are added to one")
    new = {_key(row) for row in rows}
    merged = [row for row in before if _key(row) not in new] + rows
    return write_atomic(path, json.dumps(merged, indent=2) + "\n")


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in SAME)


def _encoding(loaded: Loaded) -> str:
    return str(getattr(loaded.processor, "encoding", "semantic"))


def _tell(readings: Readings, *, heard: bool) -> None:
    print(readings.breakdown().table(), file=sys.stderr)
    if heard:
        split = heard_breakdown(readings.references, readings.predictions)
        causes = ", ".join(f"{cause} {share:.2f} %" for cause, share in split["percent"].items())
        print(f"edits by what an ear can know, in percent of the symbols: {causes}", file=sys.stderr)
    for name, reason in readings.failures.items():
        print(f"not read: {name}: {reason}", file=sys.stderr)


def _name(model: str | Path | Loaded) -> str:
    return str(model) if isinstance(model, str | Path) else str(model.model.name_or_path)


def _command(model: str | Path | Loaded, data: str | Path, **options: Any) -> str:
    words = ["hfmusic", "evaluate", _name(model), str(data)]
    for name, value in options.items():
        words += [] if value is None else [f"--{name}", str(value)]
    return shlex.join(words)
