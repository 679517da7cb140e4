"""Train a cell, read the test staves with it in both domains, and keep what came out as one JSON file a cell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

import hfmusic
from hfmusic.data.collate import StaveCollator, StaveItem, model_inputs
from hfmusic.files import write_atomic
from hfmusic.metrics.sequence import sequence_error_rate, symbol_error_rate
from hfmusic.models.ctc_decoding import greedy_decode
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.reproduce.cells import DOMAINS, Cell
from hfmusic.reproduce.recipes import Places, Scale, base_recipe, recipes
from hfmusic.reproduce.staves import split_cache
from hfmusic.symbolic.fusion import EYE_AND_EAR, FusionConfig, Reading, calibrate, fuse
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.checkpoint import checkpoint_folders, read_log
from hfmusic.training.config import TrainingConfig
from hfmusic.training.loop import Training

BATCH = 32


@dataclass(frozen=True)
class ReadStaves:
    """Staves of a part in one domain, by ascending id: features uint8 (H, W) and reference tokens."""

    ids: list[str]
    features: list[np.ndarray]
    references: list[list[str]]


class Bench:
    """Runs cells of one scale in one folder; features of test staves are opened once."""

    def __init__(self, scale: Scale, places: Places) -> None:
        self.scale, self.places = scale, places
        self.base = replace(base_recipe(scale.name), cache_dir=places.cache_dir)
        self.tokens = load_vocabulary(self.base.vocabulary).tokens
        self._staves: dict[tuple[str, str], ReadStaves] = {}

    def result_file(self, cell: Cell, seed: int) -> Path:
        return self.places.runs(seed) / f"{cell.name}.json"

    def run(self, cell: Cell, seed: int) -> dict[str, Any]:
        """The result of a cell, from its file or from training and reading. Another process at it is waited for.

        Raises:
            KeyboardInterrupt: a training was stopped by a signal; it goes on from there next time.
        """
        file = self.result_file(cell, seed)
        with _alone(file):
            if not file.is_file():
                self._run(cell, seed, file)
            return json.loads(file.read_text(encoding="utf-8"))

    def _run(self, cell: Cell, seed: int, file: Path) -> None:
        configs = recipes(cell, self.scale, self.places, seed)
        trained = [_train(config) for config in configs]
        result = self._fusion(cell, seed) if cell.method == "fusion" else self._measure(cell, seed)
        result = {**_about(cell, seed), **_summary(configs, trained), **result}
        write_atomic(file, json.dumps(result, indent=2) + "\n")
        _clean(cell, configs)

    def staves(self, domain: str, part: str) -> ReadStaves:
        """The staves of a part in a domain."""
        if (domain, part) not in self._staves:
            self._staves[domain, part] = self._open(domain, part)
        return self._staves[domain, part]

    def _open(self, domain: str, part: str) -> ReadStaves:
        places, chosen = self.places, self.places.chosen
        wanted, rows = set(chosen.ids[part]), {}
        for split in chosen.places[part]:
            cache = split_cache(self.base, places.folders, self.scale.curation, domain, split)
            for row, stave in enumerate(cache.ids):
                if stave in wanted:
                    rows[stave] = (np.asarray(cache[row]), cache.texts[row].split())
        ids = sorted(rows)
        return ReadStaves(ids, [rows[stave][0] for stave in ids], [rows[stave][1] for stave in ids])

    def _measure(self, cell: Cell, seed: int) -> dict[str, Any]:
        model = self._model(cell.name, seed)
        domains = DOMAINS if cell.size is None else (cell.domain,)
        rates: dict[str, Any] = {"ser": {}, "sequence_error_rate": {}, "staves": {}}
        for domain in domains:
            staves = self.staves(domain, "test")
            predictions = [reading.tokens for reading in self.read(model, domain, "test")]
            rates["ser"][domain] = symbol_error_rate(staves.references, predictions)
            rates["sequence_error_rate"][domain] = sequence_error_rate(staves.references, predictions)
            rates["staves"][domain] = len(staves.ids)
        return rates

    def _model(self, cell: str, seed: int) -> Any:
        model = CRNNForCTC.from_pretrained(self.places.model(cell, seed))
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def read(self, model: CRNNForCTC, domain: str, part: str) -> list[Reading]:
        """What a network reads on a part's staves in a domain, which may be one that it was not trained for."""
        staves = self.staves(domain, part)
        modality = domain if domain in model.config.modalities else model.config.modalities[0]
        readings: dict[int, Reading] = {}
        for rows in _batches([one.shape[1] for one in staves.features]):
            found = _read_batch(model, [staves.features[row] for row in rows], modality)
            for row, (ids, confidences) in zip(rows, found, strict=True):
                readings[row] = Reading([self.tokens[index] for index in ids], confidences)
        return [readings[row] for row in range(len(staves.ids))]

    def _fusion(self, cell: Cell, seed: int) -> dict[str, Any]:
        """Late fusion of the two bases' readings; calibrated on the validation staves, measured on the test's."""
        models = [self._model(name, seed) for name in cell.needs]
        pairs: dict[str, list[tuple[Reading, Reading]]] = {}
        for part in ("validation", "test"):
            read = [self.read(model, domain, part) for model, domain in zip(models, DOMAINS, strict=True)]
            pairs[part] = list(zip(*read, strict=True))
        references = self.staves("image", "test").references
        fitted = calibrate(pairs["validation"], self.staves("image", "validation").references)
        configs = {"paper": FusionConfig(), "eye and ear": EYE_AND_EAR, "calibrated": fitted}
        ser = {
            domain: symbol_error_rate(references, [pair[place].tokens for pair in pairs["test"]])
            for place, domain in enumerate(DOMAINS)
        }
        for name, config in configs.items():
            fused = [fuse(*first, *second, config=config)[0] for first, second in pairs["test"]]
            ser[f"fused ({name})"] = symbol_error_rate(references, fused)
        return {"ser": ser, "staves": dict.fromkeys(DOMAINS, len(references))}


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time makes a file; the system frees the lock of one that is killed."""
    import fcntl

    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _train(config: TrainingConfig) -> dict[str, Any]:
    """Train a recipe to its last step, from its newest checkpoint if there is one; how it went."""
    training = Training(config, resume=True)
    folder = training.run()
    if training.position.step < config.max_steps:
        raise KeyboardInterrupt(f"{config.name} stopped at step {training.position.step} of {config.max_steps}")
    report = folder / "transfer.json"
    entries = [entry for entry in read_log(folder / "log.jsonl") if "ser" in entry]
    return {
        "steps": config.max_steps,
        "batch_size": config.batch_size,
        "minutes": round(training.minutes, 3),
        "validation_ser": training.position.best,
        "best_step": training.position.best_step,
        "validation": [{"step": entry["step"], "ser": entry["ser"]} for entry in entries],
        "transfer": json.loads(report.read_text(encoding="utf-8")) if report.is_file() else None,
    }


def _about(cell: Cell, seed: int) -> dict[str, Any]:
    names = ("table", "domain", "method", "policy", "size")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "cell": cell.name,
        **{name: getattr(cell, name) for name in names},
        "seed": seed,
        "date": now,
        "version": hfmusic.__version__,
    }


def _summary(configs: list[TrainingConfig], trained: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all stages: steps and minutes; of the last one: what it was validated at."""
    if not trained:
        return {"steps": 0, "minutes": 0.0}
    transfers = [entry.pop("transfer") for entry in trained]
    told = [
        {
            "policy": one["policy"],
            "copied": one["copied"],
            "frozen": one["frozen"],
            "frozen_parameters": one["frozen_parameters"],
        }
        for one in transfers
        if one
    ]
    return {
        **trained[-1],
        "steps": sum(entry["steps"] for entry in trained),
        "minutes": round(sum(entry["minutes"] for entry in trained), 3),
        "learning_rate": configs[0].optimizer.lr,
        "transfer": told,
    }


def _clean(cell: Cell, configs: list[TrainingConfig]) -> None:
    """Only models that others start from, and those of table 2, are kept; logs always."""
    for config in configs:
        for folder in checkpoint_folders(config.run_dir):
            shutil.rmtree(folder)
        shutil.rmtree(config.run_dir / "best", ignore_errors=True)
        if cell.size is not None:
            shutil.rmtree(config.run_dir / "model", ignore_errors=True)


def _batches(widths: list[int]) -> Iterator[list[int]]:
    order = np.argsort(widths, kind="stable").tolist()
    for start in tqdm(range(0, len(order), BATCH), desc="reading", leave=False):
        yield order[start : start + BATCH]


@torch.inference_mode()
def _read_batch(model: CRNNForCTC, features: list[np.ndarray], modality: str) -> list[tuple[list[int], list[float]]]:
    items = [StaveItem(id="", features=one, labels=np.zeros(0, np.int64), modality=modality) for one in features]
    inputs = model_inputs(StaveCollator()(items), model.device)
    inputs.pop("labels")
    output = model(**inputs)
    log_probs = output.logits.float().log_softmax(-1).cpu().numpy()
    decoded = [
        greedy_decode(one[:length]) for one, length in zip(log_probs, output.output_lengths.tolist(), strict=True)
    ]
    return [(one.ids, one.confidences) for one in decoded]
