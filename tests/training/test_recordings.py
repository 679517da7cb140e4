"""Crops of recordings: sound and labels fit, the seed decides, the cache is kept; what is measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hfmusic.data.recordings import read_recordings
from hfmusic.models.audio_reading import open_sound
from hfmusic.training import sound_cache as module
from hfmusic.training.config import TrainingConfig, load_recipe
from hfmusic.training.front_end import FrontEnd, build_transcriber
from hfmusic.training.note_validation import validate_notes
from hfmusic.training.recording_data import (
    TrainingCrops,
    collate,
    crop_loader,
    note_events,
    softer_by,
    training_crops,
    validation_recordings,
)
from hfmusic.training.sound_cache import loudness, sound_cache


def opened(path: Path) -> tuple[TrainingConfig, FrontEnd, TrainingCrops]:
    config = load_recipe(path)
    front_end = build_transcriber(config)[1]
    return config, front_end, training_crops(config, front_end)


def test_the_cache_holds_what_the_dataset_holds(recordings: Path, tmp_path: Path, monkeypatch: Any) -> None:
    cache = sound_cache(recordings, "train", sampling_rate=16000, cache_dir=tmp_path)
    for place, recording in enumerate(read_recordings(recordings, "train")):
        sound = open_sound(recording.audio, sampling_rate=16000)
        assert cache.ids[place] == recording.id and cache.works[place] == recording.work
        assert np.abs(cache.sound(place) - sound).max() < 1e-4
        assert np.array_equal(cache.sound(place, 100, 300), cache.sound(place)[100:300])
        assert [tuple(row) for row in cache.notes_of(place).tolist()] == [note[:4] for note in recording.notes]
        assert cache.levels[place] == pytest.approx(loudness(sound, 16000), rel=1e-3)
    monkeypatch.setattr(module, "_decode", None)
    again = sound_cache(recordings, "train", sampling_rate=16000, cache_dir=tmp_path)
    assert isinstance(again.samples, np.memmap) and len(again) == len(cache) == 4
    assert not list(tmp_path.glob("*.partial"))


def test_a_cache_that_failed_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"no sound")
    (folder / "a.tsv").write_text("0.1\t0.5\t60\t90\n", encoding="utf-8")
    with pytest.raises(ValueError, match="recording a cannot be decoded"):
        sound_cache(folder, "train", sampling_rate=16000, cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("index.json"))


def test_crops_cover_a_recording_and_per_track_is_one(hearing_recipe: Any) -> None:
    _, _, crops = opened(hearing_recipe("parts"))
    assert len(crops) == 4 * 3  # four seconds hold three crops of 1.28
    assert crops.sets[0].rows[:4].tolist() == [[0, 0, 3], [0, 1, 3], [0, 2, 3], [1, 0, 3]]
    path = hearing_recipe("tracks", crop={"seconds": 1.28, "per_track": True})
    assert len(opened(path)[2]) == 4


def test_labels_are_those_of_the_notes_in_the_crop(hearing_recipe: Any) -> None:
    """Without damage a crop's maps are a cut of the whole recording's."""
    _, front_end, crops = opened(hearing_recipe("labels"))
    cache = crops.sets[0].cache
    whole = front_end.labels(note_events(cache.notes_of(0)), front_end.frames(4.0))
    starts = set()
    for serial in range(6):
        crop = crops[serial % 3, serial]
        assert crop["features"].shape == (64, 288) and crop["features"].dtype == np.float32
        fits = [
            start
            for start in range(200 - 64 + 1)
            if all(np.allclose(crop["labels"][name], whole[name][start : start + 64]) for name in whole)
        ]
        assert fits
        starts.add(fits[0])
    assert len(starts) > 3


def test_sound_and_labels_line_up_when_it_is_detuned(hearing_recipe: Any) -> None:
    """Where a note begins, its bin of the spectrum rises, within two frames."""
    damage = {"detune_probability": 1.0}
    _, _, crops = opened(hearing_recipe("detuned", sound_augment=damage))
    found = []
    for serial in range(8):
        crop = crops[serial, serial]
        onsets, keys = np.nonzero(crop["labels"]["onset"] > 0.75)
        for frame, key in zip(onsets.tolist(), keys.tolist(), strict=True):
            if 4 <= frame < 58:
                bins = crop["features"][frame - 4 : frame + 5, 3 * key + 1]
                found.append(int(np.argmax(np.diff(bins))) - 3)
    assert len(found) > 5 and np.median(np.abs(found)) <= 1


def test_a_serial_draws_the_same_crop_again(hearing_recipe: Any) -> None:
    damage = {f"{kind}_probability": 0.7 for kind in ("detune", "equaliser", "room", "noise", "reference")}
    config, _, crops = opened(hearing_recipe("again", sound_augment=damage))
    one, two, other = crops[1, 5], crops[1, 5], crops[1, 6]
    assert np.array_equal(one["features"], two["features"])
    assert not np.array_equal(one["features"], other["features"])
    ahead = [next(iter(crop_loader(crops, config, start=start))) for start in (0, 3)]
    stream = iter(crop_loader(crops, config))
    later = [next(stream) for _ in range(4)]
    for batch, same in ((ahead[0], later[0]), (ahead[1], later[3])):
        assert batch["ids"] == same["ids"] and torch.equal(batch["input_features"], same["input_features"])
        assert all(torch.equal(values, same["labels"][name]) for name, values in batch["labels"].items())


def test_short_recordings_end_in_silence(hearing_recipe: Any) -> None:
    _, front_end, crops = opened(hearing_recipe("long", crop={"seconds": 6.0}))
    crop = crops[0, 0]
    assert len(crop["features"]) == front_end.frames(6.0) == 300
    assert crop["features"][:200].any() and not crop["features"][220:].any()
    assert not crop["labels"]["frame"][200:].any()


def test_levels_are_the_recordings(hearing_recipe: Any) -> None:
    _, front_end, crops = opened(hearing_recipe("levels"))
    cache = crops.sets[0].cache
    whole = cache.sound(0)
    assert softer_by(whole, cache, 0) == pytest.approx(0, abs=0.1)
    assert softer_by(whole / 10, cache, 0) == pytest.approx(20, abs=0.1)
    assert softer_by(np.zeros(100, np.float32), cache, 0) == 0
    loud, soft = (front_end.features(whole, 200, below_db=below) for below in (0.0, 20.0))
    assert np.allclose(soft, np.maximum(0, loud - 20 / 80), atol=1e-5)


def test_ids_prefixes_and_numbers_choose_recordings(hearing_recipe: Any, recordings: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("train3\nnone\ntrain1\n", encoding="utf-8")
    data = {"path": str(recordings), "ids": str(ids)}
    _, _, crops = opened(hearing_recipe("listed", train=[data]))
    assert crops.sets[0].rows[::3, 0].tolist() == [3, 1]
    _, _, crops = opened(hearing_recipe("first", train=[{**data, "n": 1}]))
    assert crops.sets[0].rows[:, 0].tolist() == [3, 3, 3]
    with pytest.raises(ValueError, match="nothing to train on in .*played train"):
        opened(hearing_recipe("none", train=[{"path": str(recordings), "prefix": "other"}]))


def test_weights_mix_datasets(hearing_recipe: Any, recordings: Path) -> None:
    data = [{"path": str(recordings), "weight": 2.0}, {"path": str(recordings), "split": "test", "weight": 0.5}]
    _, _, crops = opened(hearing_recipe("mix", train=data))
    drawn = np.concatenate(crops.batches().epoch(0))
    assert (drawn < 12).sum() == 24 and (drawn >= 12).sum() == 3


def test_beginnings_are_measured_with_their_notes(hearing_recipe: Any) -> None:
    config, front_end, _ = opened(hearing_recipe("beginnings"))
    (entry,) = validation_recordings(config, front_end)
    assert entry.label == "played" and entry.ids == ["validation0", "validation1"]
    assert all(len(features) == 100 for features in entry.features)
    assert all(note.offset_seconds <= 2.0 for notes in entry.notes for note in notes)


class Perfect(torch.nn.Module):
    """Gives the labels back as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, input_features: Any, attention_mask: Any, labels: Any) -> Any:
        from hfmusic.models.modeling_unet_transcriber import TranscriberOutput

        logits = {name: torch.logit(values, eps=1e-6) for name, values in labels.items()}
        return TranscriberOutput(loss=torch.tensor(0.25), logits=logits)


def test_validation_counts_notes_and_names_what_it_measures(hearing_recipe: Any) -> None:
    config, front_end, _ = opened(hearing_recipe("measures"))
    sets = validation_recordings(config, front_end)
    sets = [sets[0], replace(sets[0], label="other", monitor=False, features=[sets[0].features[0][:50]] * 2)]
    results = validate_notes(Perfect(), sets, front_end)
    assert results["note_f1/played"] == 100.0 and results["note_error"] == 0.0
    assert results["frame_f1/played"] > 90 and results["validation_loss/played"] == 0.25
    assert results["note_f1/other"] < 100  # half of it was not heard, and it does not count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"preset": "huge"}}, "preset must be one of recommended, paper, got 'huge'"),
        ({"imitate": {"source": "x"}}, "a recipe of a transcriber has no section imitate"),
        ({"initial": "nowhere", "model": {}}, "initial must be a model folder or a Hub name, got 'nowhere'"),
        ({"initial": "nowhere"}, "with initial, model takes only loss_weights, .*; got blocks"),
    ],
)
def test_wrong_recipes_are_told(hearing_recipe: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_transcriber(load_recipe(hearing_recipe("wrong", **changes)))


def test_collated_crops_are_what_the_model_takes(hearing_recipe: Any) -> None:
    config, _, crops = opened(hearing_recipe("batch"))
    model, _ = build_transcriber(config)
    batch = collate([crops[0, 0], crops[1, 1]])
    output = model(input_features=batch["input_features"], labels=batch["labels"])
    assert torch.isfinite(output.loss) and set(output.losses) == {"onset", "frame", "offset", "velocity"}
