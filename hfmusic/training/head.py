"""An output layer whose classes share statistics while training, and that is saved as the plain layer it equals.

The 1,781 semantic classes are not unrelated: `note-Bb4_eighth.` is a note, on B4, flat, a dotted eighth. Most are
rare. During training the weight of the output layer is

    W = W_free + P @ A,    b = b_free + P @ a

with P (V+1, F) the fixed 0/1 matrix of which part is in which token, and A (F, hidden), a (F,) learned. What all
flats share is learned from all flats; W_free, zero at first, keeps what only one token has. Folding writes W and b
into a plain Linear: the published checkpoint is the paper's architecture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

_PITCH = re.compile(r"([A-G])([#b]{0,2})(-?\d+)$")
BLANK = "blank"


def token_parts(token: str) -> list[str]:
    """The parts a semantic token is made of, prefixed by what they are.

    >>> token_parts("note-Bb4_eighth.")[:6]
    ['type:note', 'place:B4', 'step:B', 'alter:b', 'class:Bb', 'pitch:Bb4']
    >>> token_parts("note-Bb4_eighth.")[6:]
    ['figure:eighth', 'dots:1', 'duration:eighth.']
    >>> token_parts("timeSignature-3/8")
    ['type:timeSignature', 'numerator:3', 'denominator:8']
    >>> token_parts("multirest-12")
    ['type:multirest', 'digits:2', 'digit1:1', 'digit2:2']
    """
    kind, _, rest = token.partition("-")
    parts = [f"type:{kind}"]
    if kind in ("note", "gracenote"):
        pitch, _, duration = rest.partition("_")
        return parts + _pitch_parts(pitch) + _duration_parts(duration)
    if kind == "rest":
        return parts + _duration_parts(rest)
    if kind == "multirest":
        return [*parts, f"digits:{len(rest)}", *(f"digit{place}:{digit}" for place, digit in enumerate(rest, 1))]
    if kind == "timeSignature":
        numerator, slash, denominator = rest.partition("/")
        return [*parts, f"numerator:{numerator}", f"denominator:{denominator if slash else 'sign'}"]
    if kind == "clef":
        return [*parts, f"clef shape:{rest[:1]}", f"clef line:{rest[1:]}"]
    if kind == "keySignature":
        return [*parts, f"key:{rest}", f"key alter:{rest[1:-1] or 'none'}"]
    return parts


def _pitch_parts(pitch: str) -> list[str]:
    match = _PITCH.match(pitch)
    if match is None:
        return [f"pitch:{pitch}"]
    step, alter, octave = match.groups()
    names = (f"place:{step}{octave}", f"step:{step}", f"alter:{alter or 'none'}", f"class:{step}{alter}")
    return [*names, f"pitch:{pitch}"]


def _duration_parts(duration: str) -> list[str]:
    plain, *marks = re.split(r"_(?=fermata|trill)", duration)
    figure = plain.rstrip(".")
    parts = [f"figure:{figure}", f"dots:{len(plain) - len(figure)}", f"duration:{plain}"]
    return parts + [f"mark:{mark}" for mark in marks]


def incidence(tokens: Sequence[str]) -> tuple[torch.Tensor, list[str]]:
    """P float32 (V+1, F) of 0 and 1, the blank last, and the names of its columns. The blank has a part of its own."""
    rows = [*(token_parts(token) for token in tokens), [BLANK]]
    names = list(dict.fromkeys(part for parts in rows for part in parts))
    column = {name: index for index, name in enumerate(names)}
    matrix = torch.zeros(len(rows), len(names))
    for row, parts in enumerate(rows):
        matrix[row, [column[part] for part in parts]] = 1.0
    return matrix, names


class FactorisedLinear(nn.Module):
    """Linear layer (..., in) -> (..., V+1) with the weight W_free + P @ A; `fold()` gives the equal `nn.Linear`.

    With `keep` the layer starts equal to that Linear (for a trained one); otherwise W_free starts at zero.
    """

    parts: torch.Tensor

    def __init__(self, tokens: Sequence[str], in_features: int, keep: nn.Linear | None = None) -> None:
        super().__init__()
        matrix, self.part_names = incidence(tokens)
        self.register_buffer("parts", matrix, persistent=False)
        self.in_features, self.out_features = in_features, matrix.shape[0]
        # about the spread of a fresh Linear, uniform in 1/sqrt(in), once a token's parts are added up
        std = (3 * in_features * matrix.sum(1).mean().item()) ** -0.5
        self.factors = nn.Parameter(torch.randn(matrix.shape[1], in_features) * std)
        self.factor_bias = nn.Parameter(torch.zeros(matrix.shape[1]))
        self.free_weight = nn.Parameter(torch.zeros(self.out_features, in_features))
        self.free_bias = nn.Parameter(torch.zeros(self.out_features))
        if keep is not None:
            with torch.no_grad():
                self.free_weight.copy_(keep.weight - matrix @ self.factors)
                self.free_bias.copy_(keep.bias if keep.bias is not None else torch.zeros(self.out_features))

    @property
    def weight(self) -> torch.Tensor:
        """W, float (V+1, in)."""
        return self.free_weight + self.parts @ self.factors

    @property
    def bias(self) -> torch.Tensor:
        """b, float (V+1,)."""
        return self.free_bias + self.parts @ self.factor_bias

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.linear(hidden, self.weight, self.bias)

    def fold(self) -> nn.Linear:
        """A plain Linear with exactly this layer's weight and bias."""
        weight, bias = self.weight.detach(), self.bias.detach()
        plain = nn.Linear(self.in_features, self.out_features, device=weight.device, dtype=weight.dtype)
        with torch.no_grad():
            plain.weight.copy_(weight)
            plain.bias.copy_(bias)
        return plain


def factorise_head(model: nn.Module, tokens: Sequence[str], *, keep: bool = False) -> nn.Module:
    """Swap the output layer of a CTC model for a `FactorisedLinear`, in place.

    Args:
        model: has one Linear with V+1 outputs, V = len(tokens).
        keep: start from the model's present weights, which are trained, instead of afresh.

    Raises:
        ValueError: no such layer, or several.
    """
    found = [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer.out_features == len(tokens) + 1
    ]
    if len(found) != 1:
        names = [name for name, _ in found]
        raise ValueError(f"the model must have one Linear of {len(tokens) + 1} outputs, found {len(found)}: {names}")
    name, layer = found[0]
    head = FactorisedLinear(tokens, layer.in_features, layer if keep else None)
    model.set_submodule(name, head.to(layer.weight.device, layer.weight.dtype))
    return model


def fold_head(model: nn.Module) -> nn.Module:
    """Swap every `FactorisedLinear` for the plain Linear it equals, in place; a model without one is left as it is."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, FactorisedLinear):
            model.set_submodule(name, layer.fold())
    return model
