"""Entry points, names and versions, read from the metadata of distributions."""

from pathlib import Path

import pytest

from tinytorch_core.discovery import PLUGINS, entry_points

LONG = "".join(f"Classifier: Topic :: {i}\n" for i in range(50))


@pytest.mark.parametrize("folder", ["a_b-2.5.dist-info", "a_b.egg-info"])
@pytest.mark.parametrize(
    "headers",
    [
        "Name: A-B\nVersion: 2.5",
        "Name: A-B\r\nVersion: 2.5\r\n\r\nVersion: 3\r\n",
        f"Name: A-B\n{LONG}Version: 2.5\n\nName: something else\n",
    ],
)
def test_name_and_version_are_read_from_either_kind_of_metadata(
    tmp_path: Path, folder: str, headers: str
) -> None:
    metadata = tmp_path / folder
    metadata.mkdir()
    file = "METADATA" if folder.endswith(".dist-info") else "PKG-INFO"
    (metadata / file).write_bytes(f"Metadata-Version: 2.1\n{headers}".encode())
    (metadata / "entry_points.txt").write_text("[tinytorch]\nab = a_b : plugin [extra]\n")
    ((name, (point,)),) = entry_points(PLUGINS, [str(tmp_path)]).items()
    assert (name, point.name, point.value) == ("ab", "ab", "a_b:plugin")
    assert (point.distribution, point.version) == ("A-B", "2.5")


def test_a_distribution_with_two_metadata_folders_counts_once(tmp_path: Path) -> None:
    """An editable install can leave metadata next to its source."""
    for folder in ("a_b-2.5.dist-info", "a_b.egg-info"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "entry_points.txt").write_text("[tinytorch]\nab = a_b\n")
    (points,) = entry_points(PLUGINS, [str(tmp_path)]).values()
    assert [p.name for p in points] == ["ab"]


def test_groups_are_separate(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        (folder / "entry_points.txt").write_text(
            f"[tinytorch]\none = {name}.plugin\n[other]\nx = y\n"
            f"[tinytorch.commands]\n# a comment\none = {name}.command\n"
            "[tinytorch.attributes]\nrelu = one\n"
        )
    points = entry_points(PLUGINS, [str(tmp_path)])["one"]
    assert [p.value for p in points] == ["a.plugin", "b.plugin"]
    assert [p.attributes for p in points] == [{"relu"}, {"relu"}]
    commands = entry_points("tinytorch.commands", [str(tmp_path)])["one"]
    assert [p.value for p in commands] == ["a.command", "b.command"]
    assert entry_points("unknown", [str(tmp_path)]) == {}
