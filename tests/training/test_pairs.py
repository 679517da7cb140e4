"""Pairs of snippets and excerpts: the cache, what belongs together, batches without false negatives, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hfmusic.data.sheets import read_sheet_audio, unroll
from hfmusic.data.snippets import SnippetGeometry
from hfmusic.models.audio_reading import open_sound
from hfmusic.models.processing_audio_score import AudioScoreProcessor
from hfmusic.testing.sheets import STEPS, write_sheets
from hfmusic.training import pair_cache as module
from hfmusic.training.config import TrainingConfig, load_recipe
from hfmusic.training.pair_augment import PairAugmentConfig, cut_excerpt, cut_snippet, damage_snippet
from hfmusic.training.pair_batches import PairBatches, PairConfig
from hfmusic.training.pair_cache import pair_cache, pair_places
from hfmusic.training.pair_data import TrainingPairs, collate, pair_loader, training_pairs, validation_pairs
from hfmusic.training.pair_model import build_audio_score

PLAIN, GEOMETRY = PairAugmentConfig(), SnippetGeometry(40, 60, 1.0, 20)


def opened(path: Path) -> tuple[TrainingConfig, AudioScoreProcessor, TrainingPairs]:
    config = load_recipe(path)
    processor = build_audio_score(config)[1]
    return config, processor, training_pairs(config, processor)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("scale", "height"), [(0.5, 80), (0.4, 80), (1.0, 50)])
def test_undamaged_pairs_are_what_the_processor_cuts(pair_recipe: Any, sheets: Path, scale: float, height: int) -> None:
    sizes = {"image_scale": scale, "image_height": height}
    _, processor, pairs = opened(pair_recipe("plain", model=sizes, processor={"fit_systems": height == 50}))
    rendition = list(read_sheet_audio(sheets, "train"))[1]
    row = unroll(rendition.sheet, height=processor.image_height, fit=processor.fitted_height)
    spectrogram = processor.spectrogram(open_sound(rendition.audio, sampling_rate=22050))
    cache = pairs.sets[0].cache
    own = np.flatnonzero(cache.owners == 1)
    assert len(own) == len(rendition.sheet.notes) == 24 and cache.renditions[1].id == rendition.id
    snippets = processor.snippets(row.image, cache.xs[own])
    excerpts = processor.excerpts(spectrogram, [note.onset_seconds for note in rendition.sheet.notes])
    for number, place in enumerate(own):
        pair = pairs[int(place), 5]
        assert pair["id"] == rendition.id
        inside = slice(None) if scale == 0.5 else slice(1, -1)  # a whole row is smoothed beyond the snippet's edge
        cut = pair["pixels"][inside].astype(np.int64) - np.round(snippets[number, 0] * 255)[inside]
        assert np.abs(cut).max() <= processor.fit_systems  # where a system is squeezed, the last bit may differ
        assert np.abs(pair["features"] - excerpts[number, 0]).max() < 2e-3  # kept with 16 bits


def test_the_note_in_the_middle_of_the_snippet_begins_in_the_middle_of_the_excerpt(sheets: Path) -> None:
    """By the pixels and the spectrum alone: where the ink is high or low, the band that begins to sound is."""
    options = {"frames": 8, "image_height": 80, "image_width": 14, "image_scale": 1.0}
    processor = AudioScoreProcessor(**options)
    heard: dict[int, list[int]] = {}
    for rendition in read_sheet_audio(sheets, "train"):
        row = unroll(rendition.sheet, height=80)
        spectrogram = processor.spectrogram(open_sound(rendition.audio, sampling_rate=22050))
        places = list(pair_places(rendition.sheet, row, processor, len(spectrogram)))
        snippets = processor.snippets(row.image, [place.x for place in places])[:, 0, :, 5:9]
        seconds = [place.frame / 20 for place in places]
        excerpts = processor.excerpts(spectrogram, seconds)[:, 0]
        for snippet, excerpt in zip(snippets, excerpts, strict=True):
            ink = (snippet < 0.5).all(axis=1)
            head = int(np.argmax(np.convolve(ink, np.ones(5), mode="same")))  # it is higher than a line
            heard.setdefault(head, []).append(int(np.argmax(excerpt[4] - excerpt[2])))
    bands = [float(np.median(heard[head])) for head in sorted(heard)]
    assert sum(map(len, heard.values())) == 6 * 24 and len(bands) == len(STEPS)
    assert (np.diff(bands) < 0).all()  # heads further down sound lower


def test_renditions_of_a_piece_share_its_row_and_its_music(pair_recipe: Any, monkeypatch: Any) -> None:
    config, processor, pairs = opened(pair_recipe("shared"))
    cache = pairs.sets[0].cache
    assert [entry.row for entry in cache.renditions] == [0, 0, 1, 1, 2, 2]
    assert len(cache.row_offsets) == 4 and isinstance(cache.row_values, np.memmap)
    assert cache.row(0).shape[0] == round((80 + 2 * module.margin(processor)) * 0.5) == 48
    first, second = (cache.contents[cache.owners == number] for number in (0, 1))
    # at another tempo a window holds other notes: most places are the same music, and none is another piece's
    assert len(set(cache.contents[cache.owners >= 2]) & set(first)) == 0
    assert np.array_equal(cache.xs[cache.owners == 0], cache.xs[cache.owners == 1]) and len(first) == len(second)
    monkeypatch.setattr(module, "_write", None)
    again = pair_cache(config.train[0].path, "train", processor, config.cache_dir)
    assert np.array_equal(again.frames, cache.frames)
    assert not list(Path(config.cache_dir).glob("*.partial"))


def test_a_cache_that_failed_is_not_there(sheets: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "open_sound", lambda *_, **__: np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="rendition train0-one-1 cannot be decoded: the sound is empty"):
        pair_cache(sheets, "train", AudioScoreProcessor(), tmp_path)
    assert not list(tmp_path.rglob("index.json"))


def test_pairs_beyond_the_ends_see_paper_and_silence() -> None:
    row, spectrogram = np.zeros((40, 60), np.uint8), np.ones((10, 92), np.float16)
    snippet = cut_snippet(row, 3.0, SnippetGeometry(30, 20, 1.0, 6), PLAIN, rng())
    assert (snippet[:, :7] == 255).all() and (snippet[:, 7:] == 0).all()
    excerpt = cut_excerpt(spectrogram, 8, SnippetGeometry(30, 20, 1.0, 6), PLAIN, rng())
    assert excerpt.tolist() == [[1.0] * 92] * 5 + [[0.0] * 92]


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [({"dx": 5.0}, 24, 36), ({"dy": 5.0}, 29, 31), ({"scale": 0.05}, 29, 31)],
)
def test_pictures_move_by_what_is_asked(options: dict[str, float], low: int, high: int) -> None:
    """A cross in the middle of a snippet is found a few pixels away, and never further."""
    row = np.full((60, 200), 255, np.uint8)
    row[28:32, 98:102] = 0
    centres = []
    for seed in range(40):
        snippet = cut_snippet(row, 100.0, GEOMETRY, PairAugmentConfig(**options), rng(seed))
        rows, columns = np.nonzero(snippet < 128)
        centres.append((rows.mean() + 0.5, columns.mean() + 0.5))
    across, down = np.array(centres)[:, 1], np.array(centres)[:, 0]
    assert low <= across.min() and across.max() <= high
    moved = {"dx": across, "dy": down}.get(next(iter(options)))
    if moved is not None:
        assert np.ptp(moved) > 6 and abs(moved.mean() - (30 if moved is across else 20)) < 1.5


def test_scaling_is_about_the_middle_and_as_much_as_asked() -> None:
    row = np.full((60, 200), 255, np.uint8)
    row[:, [80, 120]] = 0  # 20 pixels to both sides of the middle
    widths = []
    for seed in range(30):
        snippet = cut_snippet(row, 100.5, GEOMETRY, PairAugmentConfig(scale=0.1), rng(seed))
        ink = 255 - snippet[20].astype(float)
        left, right = (np.sum(half * np.arange(30)) / half.sum() for half in (ink[:30], ink[30:]))
        widths.append(right + 30 - left)
    assert 35.5 < min(widths) < 37.5 and 42.5 < max(widths) < 44.5


def test_pictures_fade_and_blur_and_paper_stays() -> None:
    snippet = np.full((20, 20), 255, np.uint8)
    snippet[10] = 0
    faded = damage_snippet(snippet, PairAugmentConfig(contrast=0.5), rng(1))
    assert faded.max() == 255 and 0 < faded.min() < 128
    blurred = damage_snippet(snippet, PairAugmentConfig(blur=1.5), rng(2))
    assert blurred[9, 5] < 255 and blurred[10, 5] > 0
    assert np.ptp(damage_snippet(snippet, PairAugmentConfig(noise=0.1), rng(3))[0]) > 0
    assert damage_snippet(snippet, PLAIN, rng()) is snippet


def test_sounds_are_shifted_stretched_and_coloured() -> None:
    spectrogram = np.zeros((60, 92), np.float16)
    spectrogram[30] = 1
    plain = cut_excerpt(spectrogram, 30, GEOMETRY, PLAIN, rng())
    assert np.flatnonzero(plain[:, 0]).tolist() == [10]
    shifted = {
        int(cut_excerpt(spectrogram, 30, GEOMETRY, PairAugmentConfig(onset_shift=1), rng(seed))[:, 0].argmax())
        for seed in range(20)
    }
    assert shifted == {9, 10, 11}
    aside = np.zeros((60, 92), np.float16)
    aside[[24, 36]] = 1
    distances = []
    for seed in range(20):  # the middle stays, what is before and after it comes nearer or goes away
        found = cut_excerpt(aside, 30, GEOMETRY, PairAugmentConfig(stretch=0.2), rng(seed))[:, 0]
        before, after = (np.sum(part * np.arange(9)) / part.sum() for part in (found[9:0:-1][:9], found[11:]))
        assert found[10] == 0 and before == pytest.approx(after, abs=0.01)
        distances.append(after + 1)
    assert 4.9 < min(distances) < 5.5 and 6.8 < max(distances) < 7.5
    louder = [cut_excerpt(spectrogram, 30, GEOMETRY, PairAugmentConfig(gain_db=6), rng(seed)) for seed in range(20)]
    magnitudes = np.array([10 ** one[10, 0] - 1 for one in louder])
    assert 9 / 2.01 < magnitudes.min() < 6 and 13 < magnitudes.max() < 9 * 2.01
    assert all((one[12] == 0).all() for one in louder)
    assert np.ptp(cut_excerpt(spectrogram, 30, GEOMETRY, PairAugmentConfig(equaliser_db=3), rng())[10]) > 0.1
    assert cut_excerpt(spectrogram, 30, GEOMETRY, PairAugmentConfig(floor=0.5), rng())[12].min() > 0


def test_rooms_let_sounds_last() -> None:
    spectrogram = np.zeros((60, 92), np.float16)
    spectrogram[30] = 1
    lasting = []
    for seed in range(20):
        magnitudes = 10 ** cut_excerpt(spectrogram, 30, GEOMETRY, PairAugmentConfig(room=0.8), rng(seed))[:, 0] - 1
        assert not magnitudes[:10].any() and magnitudes[10] == pytest.approx(9, rel=1e-3)
        lasting.append(magnitudes[11] / magnitudes[10])
        assert magnitudes[12] / 9 == pytest.approx(lasting[-1] ** 2, abs=1e-3)
    assert 0 < min(lasting) < 0.2 and 0.6 < max(lasting) < 0.8


def test_fonts_and_tempi_choose_renditions(pair_recipe: Any) -> None:
    for augment, kept in (
        ({"fonts": ["two"]}, {1, 3, 5}),
        ({"tempo": 0.05}, {0, 2, 4}),
        ({"tempo": 0.1}, set(range(6))),
    ):
        entry = opened(pair_recipe("some", pair_augment=augment))[2].sets[0]
        assert set(entry.cache.owners[entry.taken].tolist()) == kept
    with pytest.raises(ValueError, match="nothing to train on in .*drawn train: no rendition is taken"):
        opened(pair_recipe("none", pair_augment={"fonts": ["three"]}))


def test_ids_prefixes_and_numbers_choose_renditions(pair_recipe: Any, sheets: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("train2-one-1\ntrain1-two-1.1\nnone\n", encoding="utf-8")
    for data, kept in (({"ids": str(ids)}, {3, 4}), ({"prefix": "train1"}, {2, 3}), ({"n": 1}, {0})):
        entry = opened(pair_recipe("some", train=[{"path": str(sheets), **data}]))[2].sets[0]
        assert set(entry.cache.owners[entry.taken].tolist()) == kept


def batches_of(pairs: int, **options: Any) -> PairBatches:
    """Batches of pairs 5 pixels and 3 frames apart in pieces of 50."""
    numbers = np.arange(pairs)
    given: dict[str, Any] = {
        "rows": numbers // 50,
        "renditions": numbers // 50,
        "xs": numbers % 50 * 5.0,
        "frames": numbers % 50 * 3,
        "contents": numbers,
        "groups": [numbers],
        "repeats": [1.0],
        "batch_size": 16,
        "config": PairConfig(per_piece=4, apart_pixels=8, apart_frames=2),
        **options,
    }
    return PairBatches(**given)


def test_a_batch_holds_neighbours_but_no_false_negatives() -> None:
    batches = batches_of(400)
    epoch = batches.epoch(0)
    assert len(epoch) == len(batches) == 25
    seen = np.concatenate(epoch)
    assert len(set(seen)) == len(seen) >= 390
    for batch in epoch:
        pieces, counts = np.unique(batch // 50, return_counts=True)
        assert len(batch) >= 14 and counts.max() >= 3 and len(pieces) >= 3
        for piece in pieces:
            xs = np.sort(batch[batch // 50 == piece] % 50 * 5)
            assert (np.diff(xs) >= 8).all()
    again, other = batches_of(400).epoch(0), batches.epoch(1)
    assert all(np.array_equal(one, two) for one, two in zip(epoch, again, strict=True))
    assert not np.array_equal(np.concatenate(other), seen)


def test_the_same_music_or_moment_is_never_twice_in_a_batch() -> None:
    for options in ({"contents": np.arange(400) % 20}, {"renditions": np.zeros(400), "frames": np.arange(400) % 100}):
        batches = batches_of(400, **options)
        for batch in batches.epoch(0):
            if "contents" in options:
                assert len(set(batch % 20)) == len(batch)
            else:
                assert (np.diff(np.sort(batch % 100)) >= 2).all()


def test_weights_mix_sets_and_small_sets_make_one_batch() -> None:
    numbers = np.arange(400)
    drawn = np.concatenate(batches_of(400, groups=[numbers[:200], numbers[200:]], repeats=[2.0, 0.5]).epoch(0))
    assert (drawn < 200).sum() > 3 * (drawn >= 200).sum() > 0
    assert len(batches_of(10)) == 1 and 0 < len(batches_of(10).epoch(3)[0]) <= 10
    with pytest.raises(ValueError, match=r"nothing to train on: sets of \[0\] pairs"):
        batches_of(0)


def test_a_serial_draws_the_same_pair_again(pair_recipe: Any) -> None:
    damage = {"scale": 0.05, "dy": 5, "noise": 0.1, "gain_db": 6, "stretch": 0.05}
    config, _, pairs = opened(pair_recipe("again", pair_augment=damage))
    one, two, other = pairs[1, 5], pairs[1, 5], pairs[1, 6]
    for name in ("pixels", "features"):
        assert np.array_equal(one[name], two[name]) and not np.array_equal(one[name], other[name])  # type: ignore[literal-required]
    ahead = next(iter(pair_loader(pairs, config, start=3)))
    stream = iter(pair_loader(pairs, config))
    later = [next(stream) for _ in range(4)][3]
    assert ahead["ids"] == later["ids"]
    assert all(torch.equal(ahead[name], later[name]) for name in ("input_features", "pixel_values"))
    assert not np.array_equal(pairs.sample(10)[3]["pixels"], pairs[3, 0]["pixels"])
    assert len(pairs.sample(10)) == 10 and len(pairs.sample(10**6)) == len(pairs)


def test_several_sets_keep_their_rows_apart(pair_recipe: Any, sheets: Path, tmp_path: Path) -> None:
    other = write_sheets(tmp_path / "other", train=1, other=1, seed=9)
    _, _, pairs = opened(pair_recipe("two", train=[{"path": str(sheets)}, {"path": str(other)}]))
    batches = pairs.batches()
    assert sorted(set(batches.rows.tolist())) == [0, 1, 2, 3] and len(pairs) == 6 * 24 + 24
    assert set((batches.times >> 32).tolist()) == set(range(7))
    assert pairs[len(pairs) - 1, 0]["id"] == "train0-one-1"


def test_collated_pairs_are_what_the_model_takes(pair_recipe: Any) -> None:
    config, processor, pairs = opened(pair_recipe("batch"))
    model, _ = build_audio_score(config)
    batch = collate([pairs[0, 0], pairs[9, 1]])
    output = model(batch["input_features"], batch["pixel_values"] / 255, return_loss=True)
    assert torch.isfinite(output.loss) and batch["pixel_values"].dtype == torch.uint8
    assert batch["ids"] == ["train0-one-1", "train0-one-1"]
    (entry,) = validation_pairs(config, processor)
    assert 46 <= len(entry.pairs) == len(set(entry.contents)) <= 48 and entry.label == "drawn"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"preset": "huge"}}, "preset must be one of recommended, paper, .*, dias2018_code, got 'huge'"),
        ({"imitate": {"source": "x"}}, "a recipe of an audio_score has no section imitate"),
        ({"initial": "no/such/folder", "model": {}}, "initial must be a model folder or a Hub name, got 'no/such"),
        ({"initial": "nowhere"}, "with initial, model takes only margin, .*; got audio_tower"),
        ({"initial": "nowhere", "model": {}, "processor": {"fmax": 9}}, "processor only fit_systems.*; got fmax"),
        ({"processor": {"fmax": 11000}}, "the spectrogram has 10. bands, the model reads 92"),
        ({"pair_augment": {"scale": 1.5}}, "pair_augment.scale must be under 1, got 1.5"),
        ({"pair_augment": {"dy": -1}}, "pair_augment.dy must not be negative"),
        ({"pairs": {"per_piece": 0}}, "pairs.per_piece must be at least 1"),
    ],
)
def test_wrong_recipes_are_told(pair_recipe: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_audio_score(load_recipe(pair_recipe("wrong", **changes)))
