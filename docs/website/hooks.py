"""What `mkdocs build` does in addition: pages that are not files of docs/, and checks.

MkDocs calls the functions `on_...` at the stages that its documentation describes.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import File

from docs.website import diagrams, directory, gallery, links, notebooks, reference, tensor_page
from docs.website.repository import PROJECT, ROOT, distributions, relink

log = get_plugin_logger("website")

LEARN = ROOT / "docs" / "learn"
# Programs that run at the same time.
PROCESSES = 2

# The paths in the repository of pages that the build makes of files outside docs/.
sources: dict[str, str] = {}
# The pages of the reference on which each public name is.
names: dict[str, str] = {}


def on_config(config: Any) -> Any:
    """Replace each folder in the navigation by its pages."""
    folders = {
        "directory/": ["directory/index.md"],
        "gallery/": ["gallery/index.md", *(f"gallery/{e.name}.md" for e in gallery.EXAMPLES)],
        "learn/": learn(),
        "packages/": [d.readme for d in distributions() if d.folder != ROOT],
        "project/": list(PROJECT.values()),
        "reference/": ["reference/index.md", *reference_pages()],
    }
    config.nav = [item for item in expanded(config.nav, folders) if item is not None]
    return config


def expanded(items: list[Any], folders: dict[str, list[str]]) -> list[Any]:
    """Return a navigation with the pages of each folder, without empty folders."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, dict):
            ((title, value),) = item.items()
            value = expanded(value, folders) if isinstance(value, list) else value
            value = folders.get(value, value) if isinstance(value, str) else value
            if value:
                found.append({title: value})
        else:
            found.append(item)
    return found


def learn() -> list[str]:
    """Return the pages of the learning path: its index, the chapters, the others."""
    chapters = sorted(file.stem for file in LEARN.glob("*.py"))
    others = sorted(file.stem for file in LEARN.glob("*.md") if file.stem != "index")
    first = ["index"] if (LEARN / "index.md").exists() else []
    return [f"learn/{stem}.md" for stem in (*first, *chapters, *others)]


def reference_pages() -> list[str]:
    """Return the pages of the reference, sorted by the names of the modules."""
    paths = ["tinytorch_core.Tensor", *(module.path for module in reference.modules())]
    return [f"reference/{path}.md" for path in sorted(paths)]


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that the build makes."""

    def add(page: str, content: str | bytes, source: str = "") -> None:
        sources[page] = source or f"docs/{page}"
        files.append(File.generated(config, page, content=content))

    for source, page in PROJECT.items():
        text = (ROOT / source).read_text("utf-8")
        add(page, f"# Licence\n\n{text}" if source == "LICENSE" else text, source)
    for distribution in distributions():
        if distribution.folder != ROOT:
            path = distribution.folder.relative_to(ROOT) / "README.md"
            add(distribution.readme, (ROOT / path).read_text("utf-8"), path.as_posix())
    add("directory/index.md", directory.markdown())
    add_reference(add)
    with ThreadPoolExecutor(PROCESSES) as pool:
        runs = {e: pool.submit(gallery.run, e, gallery.source(e)) for e in gallery.EXAMPLES}
        chapters = {
            file.stem: pool.submit(notebooks.chapter, file.stem, file.read_text("utf-8"))
            for file in sorted(LEARN.glob("*.py"))
        }
        add("gallery/index.md", gallery.index())
        for example, future in runs.items():
            run = future.result()
            add(f"gallery/{example.name}.md", gallery.page(example, run))
            if run is not None and run.picture is not None:
                add(f"gallery/{example.name}.png", run.picture)
        for stem, chapter in ((stem, future.result()) for stem, future in chapters.items()):
            add(f"learn/{stem}.md", chapter.markdown, f"docs/learn/{stem}.py")
            add(f"learn/{stem}.ipynb", chapter.notebook)
            for name, picture in chapter.pictures.items():
                add(f"learn/{name}", picture)
    return files


def add_reference(add: Any) -> None:
    """Add the pages of the reference, and collect the names that they describe."""
    modules = list(reference.modules())
    rows = [f"| [{m.path}]({m.path}.md) | {m.summary} |" for m in modules]
    tensor = "| [Tensor](tinytorch_core.Tensor.md) | The class, with what each plugin adds to it. |"
    table = "\n".join(["| module | content |", "|---|---|", tensor, *rows])
    add("reference/index.md", f"# Reference\n\nEvery public name, with its docstring.\n\n{table}\n")
    add(tensor_page.PAGE, tensor_page.markdown())
    for module in modules:
        add(module.page, reference.markdown(module))
        names.update({f"{module.path}.{name.name}": module.page for name in module.names})
    names.update(dict.fromkeys(("tinytorch_core.Tensor", *tensor_page.names()), tensor_page.PAGE))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Correct links to files outside docs/, draw diagrams, and name languages MkDocs knows."""
    path = page.file.src_uri
    if path == "index.md":
        page.meta["hide"] = ["navigation"]
    markdown = relink(markdown, sources.get(path, f"docs/{path}"), path)
    markdown = diagrams.with_pictures(markdown)
    markdown = re.sub(r"^```layers .*$", "```text", markdown, flags=re.MULTILINE)
    return re.sub(r"^```python onnx$", "```python", markdown, flags=re.MULTILINE)


@event_priority(100)  # type: ignore[untyped-decorator]  # before mkdocstrings writes the inventory
def on_env(env: Any, config: Any, files: Any) -> Any:
    """Add the names to objects.inv that mkdocstrings does not render itself."""
    inventory = config.plugins["mkdocstrings"].handlers.inventory
    for name, page in names.items():
        if name not in inventory:
            url = f"{files.get_file_from_path(page).url}#{name}"
            inventory.register(name=name, domain="py", role="obj", uri=url)
    return env


def on_post_build(config: Any) -> None:
    """Fail if a link is broken, or if a public name is not on its page."""
    site = Path(config.site_dir)
    found = links.check(site)
    anchors: dict[str, set[str]] = {}
    for name, page in names.items():
        file = site / page.removesuffix(".md") / "index.html"
        if page not in anchors:
            anchors[page] = links.Page(file.read_text("utf-8")).anchors
        if name not in anchors[page]:
            found.broken.append(f"{page} does not describe {name}")
    for line in found.broken:
        log.error(line)
    if found.broken:
        raise PluginError(f"{len(found.broken)} links or names are missing; see above")
    log.info("%d links to other sites, not followed", len(found.external))
