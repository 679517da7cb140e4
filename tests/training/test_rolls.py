"""Pairs of rolls and sounds: the cache, batches of unique rolls, damage; the loop resumes, learns and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hfmusic.data.rolls import RollGeometry, cut_cqt, read_rolls, roll_of, windows
from hfmusic.metrics.ranking import ranking_scores
from hfmusic.models.audio_reading import open_sound
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.processing_audio_roll import AudioRollProcessor
from hfmusic.testing.rolls import write_rolls
from hfmusic.training import roll_cache as module
from hfmusic.training.checkpoint import read_log
from hfmusic.training.config import TrainingConfig, load_recipe
from hfmusic.training.loop import Training
from hfmusic.training.pair_augment import PairAugmentConfig
from hfmusic.training.pair_batches import PairBatches, PairConfig
from hfmusic.training.pair_data import TrainingPairs, training_pairs, validation_pairs
from hfmusic.training.pair_model import build_audio_score
from hfmusic.training.roll_cache import cut_roll, roll_cache

DAMAGE = {"onset_shift": 1, "stretch": 0.04, "gain_db": 6, "equaliser_db": 3, "floor": 0.2}


class Killed(Exception):
    pass


def opened(path: Path) -> tuple[TrainingConfig, AudioRollProcessor, TrainingPairs]:
    config = load_recipe(path)
    processor = build_audio_score(config)[1]
    assert isinstance(processor, AudioRollProcessor)
    return config, processor, training_pairs(config, processor)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return AudioScoreModel.from_pretrained(run / "model").state_dict()


def test_undamaged_pairs_are_windows_of_the_data(roll_recipe: Any, rolls: Path, monkeypatch: Any) -> None:
    config, processor, pairs = opened(roll_recipe("plain"))
    cache, geometry = pairs.sets[0].cache, RollGeometry.of(processor)
    pieces = list(read_rolls(rolls, "train"))
    assert [entry.row for entry in cache.renditions] == [0, 1, 2, 3] and cache.rows == 4  # two keys are two pieces
    for number in (0, 3):
        own = np.flatnonzero(cache.owners == number)
        assert cache.starts[own].tolist() == windows(pieces[number], geometry).tolist()
        spectrogram = processor.spectrogram(open_sound(pieces[number].audio, sampling_rate=22050))
        for place in own[::7].tolist():
            pair, start = pairs[place, 5], int(cache.starts[place])
            assert pair["id"] == pieces[number].id
            roll = roll_of(pieces[number].notes, start, 24, "onsets")
            assert np.array_equal(pair["pixels"], np.rint(roll * 255)) and pair["pixels"].any()
            found = cut_cqt(spectrogram, pieces[number], start, geometry, processor.frame_rate)
            assert np.abs(pair["features"] - found).max() < 2e-3  # kept with 16 bits
    monkeypatch.setattr(module, "_write", None)
    again = roll_cache(str(rolls), "train", processor, config.cache_dir)
    assert np.array_equal(again.starts, cache.starts) and isinstance(again.spectra.base, np.memmap)


def test_the_key_that_is_drawn_is_heard(roll_recipe: Any) -> None:
    """In the column of a roll in which single notes begin, the bin of their pitch grows."""
    _, processor, pairs = opened(roll_recipe("heard"))
    louder, others = [], []
    for place in range(0, len(pairs), 3):
        pair = pairs[place, 0]
        for pitch, step in zip(*np.nonzero(pair["pixels"][:, 4:16] == 255), strict=True):
            frame, found = (step + 4) // 2, pair["features"]
            bins = 16 * np.log2(440 * 2 ** ((np.array([pitch, pitch + 6]) - 69) / 12) / 30)
            own, other = np.rint(bins).astype(int)
            growth = found[frame + 1] - found[frame - 1]
            louder.append(growth[own])
            others.append(growth[other])
    assert len(louder) > 50 and np.mean(louder) > np.mean(others) + 0.1


def test_batches_hold_unique_rolls_that_sound(roll_recipe: Any) -> None:
    _, _, pairs = opened(roll_recipe("unique", batch_size=12))
    cache, batches = pairs.sets[0].cache, pairs.batches()
    drawn = [batch for epoch in range(3) for batch in batches.epoch(epoch)]
    assert len(drawn) >= 6
    for batch in drawn:
        images = np.stack([pairs[int(place), 0]["pixels"] for place in batch])
        assert len({(image > 0).tobytes() for image in images}) == len(batch) and images.any(axis=(1, 2)).all()
        where = [(int(cache.owners[place]), int(cache.starts[place])) for place in batch]
        apart = [abs(a[1] - b[1]) for a in where for b in where if a is not b and a[0] == b[0]]
        assert min(apart, default=99) >= 6
    assert {int(place) for batch in drawn[:2] for place in batch} != {
        int(place) for batch in drawn[-2:] for place in batch
    }


def test_the_papers_batches_may_repeat() -> None:
    same = {name: np.zeros(8, np.int64) for name in ("rows", "renditions", "xs", "frames", "contents")}
    rest: dict[str, Any] = {"groups": [np.arange(8)], "repeats": [1.0], "batch_size": 8}
    assert [len(batch) for batch in PairBatches(**same, **rest, config=PairConfig()).epoch(0)] == [1]
    assert [len(batch) for batch in PairBatches(**same, **rest, config=PairConfig(unique=False)).epoch(0)] == [8]


@pytest.mark.parametrize("scaling", ["decibels", "magnitude"])
def test_damage(roll_recipe: Any, scaling: str) -> None:
    _, processor, pairs = opened(roll_recipe("damage", processor={"scaling": scaling}))
    cache, plain = pairs.sets[0].cache, PairAugmentConfig()
    features, roll = cut_roll(cache, 40, processor, plain, rng())
    for name, value in DAMAGE.items():
        changed, same = cut_roll(cache, 40, processor, replace(plain, **{name: value}), rng(3))
        assert changed.shape == features.shape and not np.array_equal(changed, features), name
        assert np.array_equal(same, roll) and np.isfinite(changed).all()
        if name in ("onset_shift", "stretch"):
            assert np.corrcoef(changed.ravel(), features.ravel())[0, 1] > 0.8
    if scaling == "decibels":
        gain = cut_roll(cache, 40, processor, replace(plain, gain_db=8), rng(1))[0] - features
        inside = gain[(features > 0.2) & (features < 0.8)]
        assert np.ptp(inside) < 1e-5 and 0 < abs(inside[0]) <= 0.1


def test_validation_counts_each_roll_once(roll_recipe: Any) -> None:
    config, processor, _ = opened(roll_recipe("valid"))
    (entry,) = validation_pairs(config, processor)
    assert len(entry.contents) == len(set(entry.contents)) > 10


def test_what_cannot_be_decoded_is_named(rolls: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "open_sound", lambda *_, **__: np.zeros(0, np.float32))
    with pytest.raises(ValueError, match=r"rendition train0\+0 cannot be decoded: the sound is empty"):
        roll_cache(str(rolls), "train", AudioRollProcessor(), tmp_path)
    assert not list(tmp_path.rglob("index.json"))


def test_a_killed_training_resumes_bit_for_bit(roll_recipe: Any) -> None:
    changes: dict[str, Any] = {"pair_augment": DAMAGE, "evaluate_every": 2}
    whole = Training(load_recipe(roll_recipe("whole", **changes))).run()
    broken = Training(load_recipe(roll_recipe("broken", **changes)))
    take = broken._step

    def or_die(batch: dict[str, Any]) -> None:
        if broken.position.step == 5:
            raise Killed
        take(batch)

    broken._step = or_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        broken.run()
    resumed = Training(load_recipe(roll_recipe("broken", **changes)), resume=True)
    assert resumed.position.step == 4
    resumed.run()
    logs = [[entry for entry in read_log(run / "log.jsonl") if "loss" in entry] for run in (whole, broken.folder)]
    told = [[(entry["step"], entry["loss"], entry["learning_rate"]) for entry in log] for log in logs]
    assert len(told[0]) == 6 and told[0] == told[1]
    assert all(torch.equal(value, weights(broken.folder)[name]) for name, value in weights(whole).items())


def test_it_learns_a_piece_and_exports_what_finds_it(roll_recipe: Any, tmp_path: Path) -> None:
    one = write_rolls(tmp_path / "one", train=1, other=1, beats=8)
    changes = {
        "train": [{"path": str(one)}],
        "validation": [{"path": str(one), "split": "train", "name": "one"}],
        "pairs": {"per_piece": 16, "apart_pixels": 2, "apart_frames": 2},
        "optimizer": {"lr": 0.01},
        "schedule": {"warmup": 0.2},
        "batch_size": 24,
        "max_steps": 60,
        "evaluate_every": 60,
        "save_every": 1000,
        "ema_decay": 0.8,
    }
    run = Training(load_recipe(roll_recipe("learns", **changes))).run()
    (entry,) = [entry for entry in read_log(run / "log.jsonl") if "retrieval_error" in entry]
    assert entry["mrr/one"] >= 80
    model = AudioScoreModel.from_pretrained(run / "model").eval()
    processor = AudioRollProcessor.from_pretrained(run / "model")
    (piece,) = read_rolls(one, "train")
    geometry = replace(RollGeometry.of(processor), hop_steps=6)
    starts = windows(piece, geometry)
    drawn = processor.rolls([roll_of(piece.notes, start, geometry.steps, processor.roll) for start in starts.tolist()])
    spectrogram = processor.spectrogram(open_sound(piece.audio, sampling_rate=22050))
    heard = [cut_cqt(spectrogram, piece, start, geometry, processor.frame_rate) for start in starts.tolist()]
    with torch.inference_mode():
        audio = model.get_audio_features(torch.from_numpy(np.stack(heard)[:, None]))
        score = model.get_score_features(torch.from_numpy(drawn))
    assert ranking_scores(audio, score)["r@1"] >= 0.9
    tall = load_recipe(roll_recipe("tall", initial=str(run / "model"), model={}, processor={"fit_systems": True}))
    with pytest.raises(ValueError, match="a model of rolls takes nothing for its processor, got fit_systems"):
        build_audio_score(tall)
    path = roll_recipe("second", initial=str(run / "model"), model={"temperature": 0.1})
    again, kept = build_audio_score(load_recipe(path))
    assert again.config.temperature == 0.1 and isinstance(kept, AudioRollProcessor) and kept.frames == 12


@pytest.mark.parametrize("name", ["audio_midi_embedding", "audio_midi_embedding_paper"])
def test_recipes_of_embeddings_build(name: str) -> None:
    config = load_recipe(name)
    model, processor = build_audio_score(config)
    assert config.name == name and processor.score_size == model.config.score_size
    assert isinstance(processor, AudioRollProcessor) and model.config.score_input == "roll"
    told = (
        ("ranking", "magnitude", "binary", 0.0) if name.endswith("paper") else ("info_nce", "decibels", "onsets", 4.0)
    )
    assert (model.config.loss, processor.scaling, processor.roll, processor.gamma) == told
