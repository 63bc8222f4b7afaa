"""The tokenizers of the course."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

__all__ = [
    "BPETokenizer",
    "CharTokenizer",
    "Tokenizer",
    "benchmark_tokenization_speed",
    "create_tokenizer",
    "tokenize_dataset",
]

_UNKNOWN = "<UNK>"
# Ends each word, so that words can be separated again.
_END = "</w>"


class Tokenizer:
    """The base class of tokenizers: a subclass defines `encode` and `decode`."""

    def encode(self, text: str) -> list[int]:
        """Return the numbers of the tokens of a text."""
        raise NotImplementedError(f"{type(self).__name__} must define encode()")

    def decode(self, tokens: Sequence[Any]) -> str:
        """Return the text of tokens."""
        raise NotImplementedError(f"{type(self).__name__} must define decode()")


class _Vocabulary(Tokenizer):
    """A tokenizer with a list of tokens, of which the first stands for all unknown ones."""

    def _set_vocabulary(self, tokens: Iterable[str]) -> None:
        self.vocab = list(dict.fromkeys([_UNKNOWN, *tokens]))
        self.vocab_size = len(self.vocab)
        self._ids = {token: i for i, token in enumerate(self.vocab)}

    def _number(self, token: str) -> int:
        return self._ids.get(token, 0)

    def _token(self, number: Any) -> str:
        number = int(number)
        return self.vocab[number] if 0 <= number < len(self.vocab) else _UNKNOWN


class CharTokenizer(_Vocabulary):
    """Tokens are characters; 0 is the number of unknown ones.

    Args:
        vocab: the characters, if they are known already.

    >>> tokenizer = CharTokenizer(["a", "b"])
    >>> tokenizer.encode("abc"), tokenizer.decode([2, 1])
    ([1, 2, 0], 'ba')
    """

    def __init__(self, vocab: Sequence[str] | None = None) -> None:
        self._set_vocabulary(vocab or ())

    def _set_vocabulary(self, tokens: Iterable[str]) -> None:
        super()._set_vocabulary(tokens)
        self.char_to_id = self._ids
        self.id_to_char = dict(enumerate(self.vocab))

    def build_vocab(self, corpus: Iterable[str]) -> None:
        """Use the characters of these texts, sorted, as tokens."""
        self._set_vocabulary(sorted(set().union(*corpus)))

    def encode(self, text: str) -> list[int]:
        return [self._number(character) for character in text]

    def decode(self, tokens: Sequence[Any]) -> str:
        return "".join(map(self._token, tokens))


class BPETokenizer(_Vocabulary):
    """Tokens are frequent parts of words, found by byte-pair encoding.

    Sennrich et al., "Neural machine translation of rare words with subword units", 2016,
    arXiv:1508.07909: the most frequent pair of neighbours becomes one token, again and again.

    Args:
        vocab_size: the number of tokens.

    >>> tokenizer = BPETokenizer(vocab_size=10)
    >>> tokenizer.train(["low low lower"])
    >>> tokenizer.decode(tokenizer.encode("lower low"))
    'lower low'
    """

    def __init__(self, vocab_size: int = 1000) -> None:
        self._set_vocabulary(())
        self.vocab_size = vocab_size
        self.merges: list[tuple[str, str]] = []

    def _set_vocabulary(self, tokens: Iterable[str]) -> None:
        super()._set_vocabulary(tokens)
        self.token_to_id = self._ids
        self.id_to_token = dict(enumerate(self.vocab))

    def train(self, corpus: Iterable[str], vocab_size: int | None = None) -> None:
        """Find the tokens in texts or words.

        Args:
            corpus: the texts.
            vocab_size: the number of tokens; by default that of the constructor.
        """
        wanted = self.vocab_size if vocab_size is None else vocab_size
        counts = Counter(word for text in corpus for word in text.split())
        words = {word: _characters(word) for word in counts}
        tokens = sorted({token for parts in words.values() for token in parts})
        self.merges = []
        while len(tokens) + 1 < wanted:
            pairs: Counter[tuple[str, str]] = Counter()
            for word, parts in words.items():
                for pair in pairwise(parts):
                    pairs[pair] += counts[word]
            if not pairs:
                break
            # The first of equally frequent pairs in the order of the alphabet.
            pair = min(pairs, key=lambda pair: (-pairs[pair], pair))
            self.merges.append(pair)
            tokens.append("".join(pair))
            words = {word: _merged(parts, pair) for word, parts in words.items()}
        self._set_vocabulary(tokens)
        self.vocab_size = wanted

    def encode(self, text: str) -> list[int]:
        numbers = []
        for word in text.split():
            parts = _characters(word)
            for pair in self.merges:
                parts = _merged(parts, pair)
            numbers += [self._number(part) for part in parts]
        return numbers

    def decode(self, tokens: Sequence[Any]) -> str:
        return "".join(map(self._token, tokens)).replace(_END, " ").strip()


def _characters(word: str) -> list[str]:
    return [*word, _END]


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """Return the parts of a word with each occurrence of the pair joined."""
    joined: list[str] = []
    i = 0
    while i < len(parts):
        size = 2 if tuple(parts[i : i + 2]) == pair else 1
        joined.append("".join(parts[i : i + size]))
        i += size
    return joined


def create_tokenizer(
    strategy: str = "char", vocab_size: int = 1000, corpus: Sequence[str] | None = None
) -> CharTokenizer | BPETokenizer:
    """Return a tokenizer, trained if a corpus is passed.

    Args:
        strategy: "char" or "bpe".
        vocab_size: the number of tokens of "bpe".
        corpus: texts, or None.

    Raises:
        ValueError: the strategy is unknown.
    """
    if strategy == "char":
        characters = CharTokenizer()
        if corpus:
            characters.build_vocab(corpus)
        return characters
    if strategy == "bpe":
        pairs = BPETokenizer(vocab_size)
        if corpus:
            pairs.train(corpus)
        return pairs
    raise ValueError(f"strategy of create_tokenizer must be 'char' or 'bpe', not {strategy!r}")


def tokenize_dataset(
    texts: Iterable[str], tokenizer: Tokenizer, max_length: int | None = None
) -> list[list[int]]:
    """Return the tokens of each text, at most `max_length` of each."""
    return [tokenizer.encode(text)[:max_length] for text in texts]


def benchmark_tokenization_speed() -> None:
    """Print how many characters each tokenizer encodes in a second."""
    text = "the quick brown fox jumps over the lazy dog " * 50
    for strategy in ("char", "bpe"):
        tokenizer = create_tokenizer(strategy, vocab_size=60, corpus=[text])
        start = time.perf_counter()
        tokens = tokenizer.encode(text)
        speed = len(text) / (time.perf_counter() - start)
        print(f"{strategy}: {len(text)} characters, {len(tokens)} tokens, {speed:,.0f} per second")
