from __future__ import annotations

import pytest

from hfmusic.symbolic.vocabulary import Vocabulary, load_vocabulary


@pytest.mark.parametrize(
    ("encoding", "size", "first", "last"),
    [("semantic", 1781, "barline", "timeSignature-C/"), ("agnostic", 758, "accidental.flat-L0", "slur.start-S7")],
)
def test_official_size_and_order(encoding, size, first, last):
    vocabulary = load_vocabulary(encoding)
    assert (len(vocabulary), vocabulary.blank_id) == (size, size)
    assert (vocabulary.tokens[0], vocabulary.tokens[-1]) == (first, last)
    assert vocabulary.decode(vocabulary.encode(vocabulary.tokens)) == list(vocabulary.tokens)


def test_unknown_token_id_and_name_are_named():
    vocabulary = load_vocabulary("semantic")
    with pytest.raises(ValueError, match="'note-H4_half' is not one of the vocabulary's 1781"):
        vocabulary.encode(["barline", "note-H4_half"])
    with pytest.raises(ValueError, match="0 to 1780, got 1781"):
        vocabulary.decode([vocabulary.blank_id])
    with pytest.raises(ValueError, match="got 'mensural'"):
        load_vocabulary("mensural")
    with pytest.raises(ValueError, match="1 repeated"):
        Vocabulary(("a", "a"))


def test_contains():
    assert "tie" in load_vocabulary("semantic")
    assert "tie" not in load_vocabulary("agnostic")
