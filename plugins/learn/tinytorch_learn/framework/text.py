"""Chapter 7, second part: a text as numbers, and text from numbers."""

import numpy as np

# Each line names somebody, and what the next one does to them.
ROWS = [
    ("the house that Jack built.", "lay in"),
    ("the malt", "ate"),
    ("the rat", "killed"),
    ("the cat", "worried"),
    ("the dog", "tossed"),
    ("the cow with the crumpled horn", "milked"),
    ("the maiden all forlorn", "kissed"),
    ("the man all tattered and torn", "married"),
    ("the priest all shaven and shorn", "waked"),
    ("the cock that crowed in the morn", "kept"),
    ("the farmer sowing his corn", ""),
]


def rhyme():
    """Return the nursery rhyme of the house that Jack built, of which each verse is longer."""
    verses = []
    for last in range(len(ROWS)):
        lines = [f"This is {ROWS[last][0]}"]
        lines += [f"that {verb} {name}" for name, verb in reversed(ROWS[:last])]
        verses.append("\n".join(lines))
    return "\n\n".join(verses) + "\n\n"


class Characters:
    """Numbers for the characters of a text."""

    def __init__(self, text):
        self.known = sorted(set(text))

    def encode(self, text):
        """Return the number of each character."""
        return np.array([self.known.index(c) for c in text])

    def decode(self, numbers):
        """Return the text of these numbers."""
        return "".join(self.known[i] for i in numbers)


def windows(numbers, count, length, generator):
    """Return `count` random pieces of a text, and the symbols that follow at each position."""
    starts = generator.integers(0, len(numbers) - length, count)
    pieces = numbers[starts[:, None] + np.arange(length + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def sample(logits, temperature, generator):
    """Return a random symbol: likelier ones more often, above all at a low temperature."""
    powers = np.exp((logits - logits.max()) / temperature)
    return int(generator.choice(len(powers), p=powers / powers.sum()))
