"""The 40 genuine PrIMuS staves: every notation carries their labels through unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from hfmusic.symbolic.agnostic import read_agnostic, write_agnostic
from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.midi import midi_note_events, note_events, read_midi, write_midi
from hfmusic.symbolic.semantic import in_vocabulary, read_semantic, split_tokens, write_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary


@pytest.fixture(scope="module")
def labels(data_dir: Path) -> dict[str, list[str]]:
    files = sorted((data_dir / "primus" / "pairs").glob("*.semantic"))
    assert len(files) == 40
    return {file.stem: split_tokens(file.read_text()) for file in files}


def test_labels_come_back_token_for_token(labels):
    for name, tokens in labels.items():
        assert write_semantic(read_semantic(tokens)) == tokens, name
        assert in_vocabulary(tokens), name


def test_through_the_agnostic_encoding_and_back(labels):
    vocabulary = load_vocabulary("agnostic")
    for name, tokens in labels.items():
        agnostic = write_agnostic(with_beams(read_semantic(tokens)))
        assert write_semantic(read_agnostic(agnostic)) == tokens, name
        assert [token for token in agnostic if token not in vocabulary] == [], name


def test_through_midi_and_back(labels):
    for name, tokens in labels.items():
        score = read_semantic(tokens)
        assert midi_note_events(write_midi(score)) == note_events(score), name
        assert note_events(read_midi(write_midi(score))) == note_events(score), name
