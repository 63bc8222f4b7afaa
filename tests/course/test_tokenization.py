"""Tokenizers."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("course")


def test_tokenizers() -> None:
    from tinytorch.core.tokenization import (
        BPETokenizer,
        CharTokenizer,
        Tokenizer,
        benchmark_tokenization_speed,
        create_tokenizer,
        tokenize_dataset,
    )

    corpus = ["hello world", "hello there", "help"]
    characters = create_tokenizer("char", corpus=corpus)
    assert isinstance(characters, CharTokenizer)
    assert characters.decode(characters.encode("hello")) == "hello"
    assert characters.decode(np.array([1.0, 99.0])) == " <UNK>"
    assert characters.vocab == ["<UNK>", *" dehloprtw"]
    assert characters.encode("?") == [0]
    pairs = create_tokenizer("bpe", vocab_size=16, corpus=corpus)
    assert isinstance(pairs, BPETokenizer)
    assert len(pairs.vocab) == 16
    assert pairs.merges[:2] == [("h", "e"), ("he", "l")]
    assert pairs.decode(pairs.encode("hello world")) == "hello world"
    assert len(pairs.encode("hello")) < 6
    assert tokenize_dataset(corpus, characters, max_length=3)[2] == characters.encode("hel")
    small = BPETokenizer()
    small.train(["ab ab"], vocab_size=100)
    assert small.encode("ab") == [len(small.vocab) - 1]
    with pytest.raises(ValueError, match="must be 'char' or 'bpe', not 'word'"):
        create_tokenizer("word")
    with pytest.raises(NotImplementedError, match="must define encode"):
        Tokenizer().encode("a")
    with pytest.raises(NotImplementedError, match="must define decode"):
        Tokenizer().decode([1])
    benchmark_tokenization_speed()
