"""Tokens of a CTC vocabulary and their ids; the blank is one past the last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizer

BLANK = "<blank>"
IGNORED = -100


class CTCTokenizer(PreTrainedTokenizer):
    """PrIMuS tokens separated by white space (or commas) <-> ids, in the order of `vocabulary.txt`, one token a line.

    The blank is the padding token, with id `len(tokens)`. A token outside the vocabulary is an error.

    Args:
        vocab_file: the vocabulary, or
        tokens: its tokens in order.
        encoding: "semantic" or "agnostic", for those who turn tokens into music; None: told from the tokens.
    """

    vocab_files_names = {"vocab_file": "vocabulary.txt"}
    model_input_names = ["input_ids"]
    _auto_class = "AutoTokenizer"

    def __init__(
        self,
        vocab_file: str | None = None,
        tokens: Sequence[str] | None = None,
        encoding: str | None = None,
        **kwargs: Any,
    ) -> None:
        if (vocab_file is None) == (tokens is None):
            raise ValueError("a CTC tokenizer needs vocab_file or tokens, one of them")
        if vocab_file is not None:
            tokens = Path(vocab_file).read_text(encoding="utf-8").split("\n")
            tokens = tokens[:-1] if tokens[-1] == "" else tokens
        self.tokens: tuple[str, ...] = tuple(tokens or ())
        self._ids = {token: index for index, token in enumerate([*self.tokens, BLANK])}
        if (
            not self.tokens
            or len(self._ids) != len(self.tokens) + 1
            or any(_split(token) != [token] for token in self._ids)
        ):
            raise ValueError(f"a vocabulary must be different words without spaces, got {len(self.tokens)} tokens")
        self.encoding = encoding or ("agnostic" if "barline-L1" in self._ids else "semantic")
        kwargs["pad_token"] = BLANK
        super().__init__(encoding=self.encoding, **kwargs)

    @property
    def vocab_size(self) -> int:
        """Tokens and blank."""
        return len(self._ids)

    @property
    def blank_id(self) -> int:
        """Id of the blank: `len(tokens)`."""
        return len(self.tokens)

    def get_vocab(self) -> dict[str, int]:
        return dict(self._ids)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return _split(text)

    def _convert_token_to_id(self, token: str) -> int:
        try:
            return self._ids[token]
        except KeyError:
            raise ValueError(f"token {token!r} is not one of the vocabulary's {len(self.tokens)} tokens") from None

    def _convert_id_to_token(self, index: int) -> str:
        if not 0 <= index <= len(self.tokens):
            raise ValueError(f"token id must be 0 to {len(self.tokens)}, got {index}")
        return self.tokens[index] if index < len(self.tokens) else BLANK

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Tokens as PrIMuS writes them: separated by tabs."""
        return "\t".join(tokens)

    def encode_tokens(self, text: str | Iterable[str]) -> list[int]:
        """Ids of a text or of tokens.

        Raises:
            ValueError: a token outside the vocabulary, named.
        """
        words = _split(text) if isinstance(text, str) else list(text)
        ids = [self._convert_token_to_id(word) for word in words]
        if self.blank_id in ids:
            raise ValueError(f"{BLANK} stands for no token and cannot be a label")
        return ids

    def labels(self, texts: Sequence[str | Sequence[str]]) -> np.ndarray:
        """Training targets of several texts: int64 (B, L), padded with -100. Raises as `encode_tokens`."""
        rows = [self.encode_tokens(text) for text in texts]
        labels = np.full((len(rows), max(map(len, rows), default=0)), IGNORED, np.int64)
        for number, row in enumerate(rows):
            labels[number, : len(row)] = row
        return labels

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        name = (f"{filename_prefix}-" if filename_prefix else "") + self.vocab_files_names["vocab_file"]
        path = Path(save_directory) / name
        path.write_text("".join(f"{token}\n" for token in self.tokens), encoding="utf-8")
        return (str(path),)


def _split(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]
