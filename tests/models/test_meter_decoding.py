"""Decoding by meter: what is reckoned by hand, and that half heard bar lines and rests are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.models.ctc_decoding import greedy_decode
from hfmusic.models.meter_decoding import MeterModel, MeterWeights
from hfmusic.models.meter_reckoning import Played, cut, measure_ticks, played, start_place, ticks_of
from hfmusic.models.processing_ctc import make_processor
from hfmusic.symbolic.semantic import element_of
from hfmusic.symbolic.vocabulary import load_vocabulary

WALTZ = "clef-G2 timeSignature-3/4 note-C4_half note-D4_quarter barline note-E4_half note-D4_quarter barline"
MARCH = "clef-G2 timeSignature-2/4 note-C4_quarter note-D4_quarter barline note-E4_quarter note-D4_quarter barline"
UPBEAT = "clef-G2 timeSignature-3/4 note-G4_quarter barline note-C4_half note-D4_quarter barline note-E4_half"
PAUSE = "clef-G2 timeSignature-3/4 note-C4_half rest-quarter barline note-E4_half rest-quarter barline"
TEXTS = [text.split() for text in (WALTZ, MARCH, UPBEAT, PAUSE) for _ in range(8)]
VOCABULARY = load_vocabulary("semantic").tokens


def frames(*heard: dict[str, float]) -> np.ndarray:
    """log probabilities of one frame for each dict of tokens; the blank takes what is left."""
    probabilities = np.full((len(heard), len(VOCABULARY) + 1), 1e-7)
    for frame, tokens in enumerate(heard):
        for token, probability in tokens.items():
            probabilities[frame, VOCABULARY.index(token)] = probability
        probabilities[frame, -1] = max(1e-7, 1 - sum(tokens.values()))
    return np.log(probabilities)


def read(model: MeterModel, *heard: dict[str, float]) -> list[str]:
    return [VOCABULARY[index] for index in model.decode(frames(*heard), VOCABULARY).ids]


def sounds(*tokens: str, doubt: float = 0.3) -> list[dict[str, float]]:
    """Each token surely in a frame, and a doubtful bar line in the frame after every note."""
    found: list[dict[str, float]] = []
    for token in tokens:
        found += [{token: 0.95}, {"barline": doubt} if token.startswith("note") else {}]
    return found


def test_lengths_are_those_of_the_notation() -> None:
    for token in VOCABULARY:
        ticks = ticks_of(token)
        if token.startswith(("note-", "rest-")):
            element = element_of(token)
            quarters = element.duration.quarters if token[0] == "n" else element.quarters  # type: ignore[union-attr]
            assert ticks == quarters * 64, token
        else:
            assert ticks is None, token


@pytest.mark.parametrize(("meter", "ticks"), [("C", 256), ("C/", 256), ("6/8", 192), ("3/2", 384), ("x", None)])
def test_measures(meter: str, ticks: int | None) -> None:
    assert measure_ticks(meter) == ticks


def test_upbeats_begin_late_in_the_measure() -> None:
    assert start_place(UPBEAT.split(), 192) == 128
    assert start_place(WALTZ.split(), 192) == 0


@given(st.integers(1, 300).map(lambda n: 2 * n), st.integers(0, 95).map(lambda n: 2 * n))
def test_what_is_cut_sounds_as_long_as_before(ticks: int, place: int) -> None:
    pieces = cut(Played("note-C4_half", ticks, 0, 0), place, 192)
    assert sum(length for _, length in pieces) == ticks
    for token, length in pieces:
        assert length == (ticks_of(token) or 0)
        if token == "barline":
            assert place % 192 == 0
        place += length
    text = [token for token, _ in pieces]
    assert not text or text[0].startswith("note-C4") or text[0] == "barline"
    if text.count("barline") == 0:
        assert sum(event.ticks for event in played(text)) == ticks and len(played(text)) == 1


def test_doubtful_bar_lines_are_found_where_the_measures_end() -> None:
    tokens = WALTZ.replace("barline", "").replace("timeSignature-3/4", "").split()
    heard = sounds(*tokens)
    assert "barline" not in [VOCABULARY[index] for index in greedy_decode(frames(*heard)).ids]
    assert read(MeterModel.fit(TEXTS), *heard) == WALTZ.split()


def test_an_upbeat_is_an_upbeat() -> None:
    tokens = UPBEAT.replace("barline", "").replace("timeSignature-3/4", "").split()
    heard = sounds(*tokens)
    heard[3], heard[5] = {"barline": 0.6}, {"barline": 0.05}
    assert read(MeterModel.fit(TEXTS), *heard) == UPBEAT.split()


def test_a_rest_that_many_frames_speak_for_is_there() -> None:
    heard = [{"clef-G2": 0.9}, {"note-C4_half": 0.9}]
    heard += (
        [{"rest-quarter": 0.27, "barline": 0.1}] * 3
        + [{"note-E4_half": 0.9}]
        + [{"rest-quarter": 0.27, "barline": 0.1}] * 3
    )
    assert read(MeterModel.fit(TEXTS), *heard) == PAUSE.split()


def test_a_note_over_a_bar_line_is_tied() -> None:
    model = MeterModel.fit(TEXTS, MeterWeights(rhythm=0.1, meter=3.0))
    heard = [{"timeSignature-3/4": 0.9}, {"note-C4_half": 0.9}, {}, {"note-D4_half": 0.9}, {"barline": 0.9}]
    found = read(model, *heard, {"note-E4_half": 0.9}, {"barline": 0.9})
    joined = " ".join(found)
    assert "note-D4_quarter tie barline note-D4_quarter" in joined and joined.endswith("note-E4_half barline")


def test_what_it_does_not_understand_stays() -> None:
    model = MeterModel.fit(TEXTS)
    for heard in (
        [{"clef-G2": 0.9}],
        [{"note-C4_half": 0.9}, {"multirest-3": 0.9}, {"note-C4_half": 0.9}],
        [{"timeSignature-3/4": 0.9}, {"note-C4_half": 0.9}, {"timeSignature-2/4": 0.9}],
    ):
        assert model.decode(frames(*heard), VOCABULARY) == greedy_decode(frames(*heard))
    assert MeterModel({}).decode(frames({"note-C4_half": 0.9}), VOCABULARY).ids == [VOCABULARY.index("note-C4_half")]


def test_saved_and_loaded_it_decodes_the_same(tmp_path: Path) -> None:
    processor = make_processor(VOCABULARY, modalities=["audio"], encoding="semantic")
    assert processor.default_method == "greedy"
    with pytest.raises(ValueError, match='"meter" needs a meter model'):
        processor.decode(np.zeros((1, 3, len(VOCABULARY) + 1)), method="meter")
    model = processor.fit_meter_model(TEXTS)
    processor.save_pretrained(tmp_path)
    again = type(processor).from_pretrained(tmp_path)
    assert again.default_method == "meter" and again.meter_model is not None
    assert (again.meter_model.counts, again.meter_model.weights) == (model.counts, model.weights)
    heard = frames(*sounds("clef-G2", "note-C4_half", "note-D4_quarter", "note-E4_half", "note-D4_quarter"))
    assert again.decode(heard[None])[0].tokens == WALTZ.split()
    processor.meter_model = None
    processor.save_pretrained(tmp_path)
    assert not (tmp_path / "meter_model.json").exists()
