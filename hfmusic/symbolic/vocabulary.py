"""The official PrIMuS vocabularies: 1,781 semantic and 758 agnostic tokens, in their published order.

Source: tf-end-to-end (Calvo-Zaragoza and Rizo 2018), Data/vocabulary_semantic.txt and Data/vocabulary_agnostic.txt.
The CTC blank is no token: its id is `len(vocabulary)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

Encoding = Literal["semantic", "agnostic"]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in order; a token's id is its place.

    >>> vocabulary = load_vocabulary("semantic")
    >>> len(vocabulary), vocabulary.blank_id, vocabulary.id_of("barline")
    (1781, 1781, 0)
    """

    tokens: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {token: index for index, token in enumerate(self.tokens)})
        if len(self._ids) != len(self.tokens):
            raise ValueError(f"a vocabulary's tokens must differ, got {len(self.tokens) - len(self._ids)} repeated")

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    @property
    def blank_id(self) -> int:
        """Id of the CTC blank: one past the last token."""
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """Id of a token. Raises ValueError naming a token outside the vocabulary."""
        try:
            return self._ids[token]
        except KeyError:
            raise ValueError(f"token {token!r} is not one of the vocabulary's {len(self.tokens)} tokens") from None

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids of tokens. Raises ValueError naming a token outside the vocabulary."""
        return [self.id_of(token) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Tokens of ids, 0 to len - 1; the blank has no token. Raises ValueError naming another id."""
        return [self._token_of(int(index)) for index in ids]

    def _token_of(self, index: int) -> str:
        if not 0 <= index < len(self.tokens):
            raise ValueError(f"token id must be 0 to {len(self.tokens) - 1}, got {index}")
        return self.tokens[index]


@cache
def load_vocabulary(encoding: Encoding) -> Vocabulary:
    """The official vocabulary, "semantic" or "agnostic". Raises ValueError for another name."""
    if encoding not in ("semantic", "agnostic"):
        raise ValueError(f'vocabulary must be "semantic" or "agnostic", got {encoding!r}')
    path = resources.files(__package__) / f"vocabulary_{encoding}.txt"
    return Vocabulary(tuple(path.read_text(encoding="ascii").split()))
