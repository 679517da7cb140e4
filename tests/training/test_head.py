"""The factorised head equals the plain layer it is saved as."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.head import BLANK, FactorisedLinear, factorise_head, fold_head, incidence, token_parts

TOKENS = ("clef-G2", "note-C4_quarter", "note-C#4_quarter", "note-C4_half.", "barline")


def test_parts_are_shared_as_they_should_be() -> None:
    matrix, names = incidence(TOKENS)
    column = {name: matrix[:, index].tolist() for index, name in enumerate(names)}
    assert column["type:note"] == [0, 1, 1, 1, 0, 0]
    assert column["place:C4"] == [0, 1, 1, 1, 0, 0]
    assert column["pitch:C4"] == [0, 1, 0, 1, 0, 0]
    assert column["duration:quarter"] == [0, 1, 1, 0, 0, 0]
    assert column["dots:1"] == [0, 0, 0, 1, 0, 0]
    assert column[BLANK] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("encoding", ["semantic", "agnostic"])
def test_every_token_has_parts(encoding: str) -> None:
    tokens = load_vocabulary(encoding).tokens  # type: ignore[arg-type]
    matrix, names = incidence(tokens)
    assert matrix.shape == (len(tokens) + 1, len(names)) and bool((matrix.sum(1) >= 1).all())


def test_semantic_tokens_are_told_apart_by_their_parts() -> None:
    tokens = load_vocabulary("semantic").tokens
    parts = {tuple(token_parts(token)) for token in tokens}
    assert len(parts) == len(tokens)


def test_folding_gives_the_same_outputs() -> None:
    torch.manual_seed(0)
    head = FactorisedLinear(TOKENS, 7)
    with torch.no_grad():
        head.free_weight.normal_()
        head.factor_bias.normal_()
    hidden = torch.randn(3, 5, 7)
    folded = head.fold()
    assert type(folded) is nn.Linear
    assert torch.equal(folded(hidden), head(hidden))


def test_keeping_starts_equal_to_the_trained_layer() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 7), nn.Linear(7, len(TOKENS) + 1))
    hidden = torch.randn(2, 4)
    before = model(hidden)
    factorise_head(model, TOKENS, keep=True)
    assert isinstance(model[1], FactorisedLinear)
    assert torch.allclose(model(hidden), before, atol=1e-5)
    fold_head(model)
    assert type(model[1]) is nn.Linear and torch.allclose(model(hidden), before, atol=1e-5)


def test_a_fresh_head_is_as_wide_spread_as_a_plain_one() -> None:
    torch.manual_seed(0)
    tokens = load_vocabulary("semantic").tokens
    plain, fresh = nn.Linear(384, len(tokens) + 1), FactorisedLinear(tokens, 384)
    assert 0.5 < (fresh.weight.std() / plain.weight.std()).item() < 2


def test_the_layer_must_be_clear() -> None:
    size = len(TOKENS) + 1
    with pytest.raises(ValueError, match="one Linear of 6 outputs, found 0"):
        factorise_head(nn.Sequential(nn.Linear(3, 4)), TOKENS)
    with pytest.raises(ValueError, match="found 2"):
        factorise_head(nn.Sequential(nn.Linear(3, size), nn.Linear(size, size)), TOKENS)


def test_a_model_without_one_is_left_alone() -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    layer = model[0]
    assert fold_head(model)[0] is layer  # type: ignore[index]
