"""Docstrings as griffe expects them, and as Markdown.

The docstrings show examples without a heading, and describe several arguments in one entry:
`x, y: arrays`. Griffe expects a fence around the examples and an entry for each argument.
"""

from __future__ import annotations

import re

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:    .*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^    (?! )([^:]+?(?:\n +[^:]+?)?): (.*(?:\n {5,}.*)*)", re.MULTILINE)
# Examples with their output, up to a blank line that no further example follows.
EXAMPLE = re.compile(r"^( *)>>> .*(?:\n\1 *\S.*)*(?:\n\n\1>>> .*(?:\n\1 *\S.*)*)*", re.MULTILINE)
TITLES = {"Args": "Parameters"}


def prepared(text: str, starred: dict[str, str]) -> str:
    r"""Return a docstring with fenced examples, and an entry for each argument and attribute.

    Args:
        text: the docstring.
        starred: the names of parameters with their stars: `{"args": "*args"}`.

    >>> print(prepared("Add.\n\nArgs:\n    x, y: arrays.\n\n>>> add(1, 2)\n3", {}))
    Add.
    <BLANKLINE>
    Args:
        x: arrays.
        y: arrays.
    <BLANKLINE>
    ```pycon
    >>> add(1, 2)
    3
    ```
    """

    def split(entry: re.Match[str]) -> str:
        names = re.split(r",\s+", entry[1])
        return "\n".join(f"    {starred.get(name, name)}: {entry[2]}" for name in names)

    def section(match: re.Match[str]) -> str:
        joint = match[1] in {"Args", "Attributes"}
        return f"{match[1]}:\n{ENTRY.sub(split, match[2]) if joint else match[2]}"

    text = text.replace("\nClass attributes:\n", "\nAttributes:\n")
    return SECTION.sub(section, fenced(text + "\n")).rstrip()


def fenced(text: str) -> str:
    """Return a docstring with a fence around each example."""
    return EXAMPLE.sub(lambda match: f"{match[1]}```pycon\n{match[0]}\n{match[1]}```", text)


def to_markdown(text: str) -> str:
    """Return a docstring as Markdown, with its sections as lists."""

    def section(match: re.Match[str]) -> str:
        body = match[2]
        if match[1] not in {"Returns", "Yields"}:
            body = ENTRY.sub(lambda entry: f"- `{entry[1]}`: {entry[2]}", body)
        unindented = "\n".join(line.strip() for line in body.splitlines())
        return f"**{TITLES.get(match[1], match[1])}:**\n\n{unindented}\n"

    return SECTION.sub(section, fenced(text + "\n")).rstrip()
