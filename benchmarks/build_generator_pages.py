"""Builds the pages in tests/data/generators anew from their `source/`, with every generator that is installed.

    python benchmarks/build_generator_pages.py [NAME ...]

The programs are looked for on PATH, and one that is missing is named and its page left as it is. From PyPI: sphinx,
furo, sphinx-rtd-theme, pydata-sphinx-theme, sphinx-design, sphinx-copybutton, mkdocs, mkdocs-material, zensical. From
npm, with their folder `node_modules/.bin` on PATH: vitepress 1; @docusaurus/core, preset-classic and react. From
Debian: asciidoctor, doxygen, xsltproc with docbook-xsl and docbook-xml, a JDK. And rustdoc. The pages are not code of
those projects but our own text in their frames; scripts, styles and drawings are emptied, for they hold no content.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "tests" / "data" / "generators"
SOURCE = HERE / "source"
EMPTIED = re.compile(r"(<(script|style|svg)\b[^>]*>).*?(</\2>)", re.DOTALL | re.IGNORECASE)
SPHINX = {name: name for name in ("classic", "alabaster", "furo")} | {
    "rtd": "sphinx_rtd_theme",
    "pydata": "pydata_sphinx_theme",
}
DOCBOOK = "/usr/share/xml/docbook/stylesheet/docbook-xsl/xhtml/chunk.xsl"

MKDOCS = """
site_name: Workshop handbook
site_url: http://127.0.0.1/
site_description: All about widgets.
copyright: Copyright by the makers of widgets
repo_url: http://127.0.0.1/widgets/handbook
edit_uri: edit/main/docs/
nav: [index.md, first.md, guide.md, other.md]
"""
MATERIAL = """
theme:
  name: material
  font: false
  features: [navigation.footer, navigation.tabs, navigation.path, content.action.edit, content.code.copy,
    announce.dismiss]
extra:
  consent:
    title: Cookie consent
    description: This handbook uses cookies.
markdown_extensions: [admonition, attr_list, def_list, footnotes, tables, {toc: {permalink: true}},
  pymdownx.details, pymdownx.superfences, {pymdownx.highlight: {linenums: true, pygments_lang_class: true}},
  {pymdownx.tabbed: {alternate_style: true}}]
"""
PLAIN = """
theme: {name: %s}
markdown_extensions: [admonition, def_list, footnotes, tables, fenced_code, {toc: {permalink: true}}]
"""
DOCUSAURUS = """
module.exports = {
  title: 'Workshop handbook', url: 'http://127.0.0.1', baseUrl: '/', onBrokenLinks: 'ignore',
  presets: [['classic', {docs: {routeBasePath: '/', sidebarPath: undefined, showLastUpdateTime: false,
    editUrl: 'http://127.0.0.1/edit/'}, blog: false}]],
  themeConfig: {
    announcementBar: {id: 'a', content: 'This handbook uses cookies.', isCloseable: true},
    navbar: {title: 'Workshop handbook', items: [{to: '/first', label: 'First page of cranks'}]},
    footer: {copyright: 'Copyright by the makers of widgets', links: [{title: 'Chapters of the book',
      items: [{label: 'Other page of gears', to: '/other'}]}]},
  },
};
"""
VITEPRESS = """
export default {
  title: 'Workshop handbook', cleanUrls: false, ignoreDeadLinks: true,
  themeConfig: {
    nav: [{text: 'First page of cranks', link: '/first'}], search: {provider: 'local'},
    sidebar: [{text: 'Chapters of the book', items: [{text: 'First page of cranks', link: '/first'},
      {text: 'Widget guide', link: '/guide'}, {text: 'Other page of gears', link: '/other'}]}],
    editLink: {pattern: 'http://127.0.0.1/edit/:path'},
    footer: {copyright: 'Copyright by the makers of widgets'},
  },
}
"""


def run(*command: str | Path, folder: Path | None = None) -> None:
    subprocess.run([str(part) for part in command], cwd=folder, check=True, capture_output=True)


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def expand(text: str, flavour: str) -> str:
    """The markdown source in one generator's own words for notes, folds, tabs, terms and footnotes."""

    def replaced(match: re.Match[str]) -> str:
        kind, words = match[1], match[2].strip()
        parts = words.split("|")
        pairs = list(zip(parts[::2], parts[1::2], strict=False))
        terms = "".join(f"<dt>{term}</dt><dd>{said}</dd>" for term, said in pairs)
        fold = f"<details><summary>{parts[0]}</summary><p>{parts[-1]}</p></details>"
        if kind in ("note", "warning"):
            return (
                f"!!! {kind}\n\n{indented(words)}"
                if flavour in ("plain", "material")
                else f":::{kind}\n\n{words}\n\n:::"
            )
        if kind == "mark":
            return "" if flavour == "vitepress" else "[^1]"
        if kind == "footnote":
            return words if flavour == "vitepress" else f"[^1]: {words}"
        if kind == "terms":
            mkdocs = "\n\n".join(f"{term}\n:   {said}" for term, said in pairs)
            return mkdocs if flavour in ("plain", "material") else f"<dl>{terms}</dl>"
        if kind == "fold":
            return f'??? note "{parts[0]}"\n\n{indented(parts[1])}' if flavour == "material" else fold
        if flavour == "material":
            return "\n".join(f'=== "{name}"\n\n{indented(said)}' for name, said in pairs)
        if flavour == "docusaurus":
            items = "\n".join(f'<TabItem value="{name}">\n\n{said}\n\n</TabItem>' for name, said in pairs)
            return f"<Tabs>\n{items}\n</Tabs>"
        if flavour == "vitepress":
            items = "\n".join(f"```sh [{name}]\n# {said}\n```" for name, said in pairs)
            return f"::: code-group\n\n{items}\n\n:::"
        return "\n\n".join(said for _, said in pairs)

    head = ""
    if flavour == "docusaurus" and "{{tabs" in text:
        head = "import Tabs from '@theme/Tabs';\nimport TabItem from '@theme/TabItem';\n\n"
    text = re.sub(r"\{\{(\w+)\s?([^{}]*)\}\}", replaced, text)
    return head + (text.replace(":::note", "::: info").replace(":::", ":::") if flavour == "vitepress" else text)


def markdown_folder(folder: Path, flavour: str) -> None:
    folder.mkdir(parents=True)
    for file in (SOURCE / "md").glob("*.md"):
        (folder / file.name).write_text(expand(file.read_text("utf-8"), flavour), "utf-8")
    picture(folder)


def picture(folder: Path) -> None:
    (folder / "widget.png").write_bytes(bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    ))  # fmt: skip


def sphinx(theme: str, place: Path) -> Path:
    shutil.copytree(SOURCE / "rst", place / "rst")
    picture(place / "rst")
    options = ["-D", f"html_theme={theme}"]
    if theme == "pydata_sphinx_theme":
        options += ["-D", "html_theme_options.use_edit_page_button=1"]
    run("sphinx-build", "-q", "-b", "html", *options, place / "rst", place / "out")
    return place / "out" / "guide.html"


def mkdocs(theme: str, place: Path, program: str = "mkdocs") -> Path:
    material = theme in ("material", "zensical")
    markdown_folder(place / "docs", "material" if material else "plain")
    extra = MATERIAL if material else PLAIN % theme
    (place / "mkdocs.yml").write_text(MKDOCS + extra, "utf-8")
    run(program, "build", folder=place)
    return place / "site" / "guide" / "index.html"


def asciidoctor(place: Path) -> Path:
    run("asciidoctor", "-o", place / "guide.html", SOURCE / "guide.adoc")
    return place / "guide.html"


def docbook(place: Path) -> Path:
    options = ["--stringparam", "use.id.as.filename", "1", "--stringparam", "chunk.section.depth", "0"]
    run("xsltproc", "--nonet", *options, "-o", f"{place}/", DOCBOOK, SOURCE / "guide.xml")
    return place / "guide.html"


def rustdoc(place: Path) -> Path:
    run("rustdoc", "--crate-name", "workshop", "-o", place, SOURCE / "widget.rs")
    return place / "workshop" / "struct.Widget.html"


def javadoc(place: Path) -> Path:
    options = [
        "-quiet",
        "-Xdoclint:none",
        "-notimestamp",
        "-doctitle",
        "Workshop handbook",
        "-bottom",
        "Copyright by the makers",
    ]
    run("javadoc", *options, "-d", place, "-sourcepath", SOURCE / "java", "org.workshop")
    return place / "org" / "workshop" / "Widget.html"


def doxygen(place: Path, page: str) -> Path:
    settings = {"PROJECT_NAME": '"Workshop handbook"', "INPUT": SOURCE / "widget.h", "OUTPUT_DIRECTORY": place,
                "OPTIMIZE_OUTPUT_FOR_C": "YES", "GENERATE_LATEX": "NO", "QUIET": "YES", "GENERATE_TREEVIEW": "YES",
                "FULL_PATH_NAMES": "NO", "HAVE_DOT": "NO"}  # fmt: skip
    (place / "Doxyfile").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()), "utf-8")
    run("doxygen", place / "Doxyfile")
    return place / "html" / page


def docusaurus(place: Path) -> Path:
    """Needs `node_modules` of @docusaurus/core, preset-classic and react in the folder DOCUSAURUS names on PATH."""
    modules = node_modules("docusaurus")
    markdown_folder(place / "docs", "docusaurus")
    (place / "docs" / "index.md").write_text(
        "---\nslug: /\n---\n" + (SOURCE / "md" / "index.md").read_text("utf-8"), "utf-8"
    )
    (place / "docusaurus.config.js").write_text(DOCUSAURUS, "utf-8")
    (place / "package.json").write_text(json.dumps({"name": "handbook", "private": True}), "utf-8")
    (place / "node_modules").symlink_to(modules)
    run(modules / ".bin" / "docusaurus", "build", folder=place)
    page = place / "build" / "guide.html"
    return page if page.is_file() else place / "build" / "guide" / "index.html"


def vitepress(place: Path) -> Path:
    modules = node_modules("vitepress")
    markdown_folder(place / "docs", "vitepress")
    (place / "docs" / ".vitepress").mkdir()
    (place / "docs" / ".vitepress" / "config.mjs").write_text(VITEPRESS, "utf-8")
    (place / "node_modules").symlink_to(modules)
    run(modules / ".bin" / "vitepress", "build", "docs", folder=place)
    return place / "docs" / ".vitepress" / "dist" / "guide.html"


def node_modules(program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise FileNotFoundError(program)
    return Path(found).absolute().parent.parent


BUILDERS: dict[str, Callable[[Path], Path]] = {
    **{f"sphinx-{name}": lambda place, theme=theme: sphinx(theme, place) for name, theme in SPHINX.items()},
    "mkdocs": lambda place: mkdocs("mkdocs", place),
    "mkdocs-readthedocs": lambda place: mkdocs("readthedocs", place),
    "mkdocs-material": lambda place: mkdocs("material", place),
    "zensical": lambda place: mkdocs("zensical", place, "zensical"),
    "docusaurus": docusaurus,
    "vitepress": vitepress,
    "asciidoctor": asciidoctor,
    "docbook": docbook,
    "rustdoc": rustdoc,
    "javadoc": javadoc,
    "doxygen-page": lambda place: doxygen(place, "guide.html"),
    "doxygen-file": lambda place: doxygen(place, "widget_8h.html"),
}  # fmt: skip


def main() -> None:
    for name in sys.argv[1:] or BUILDERS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                html = BUILDERS[name](Path(folder)).read_text("utf-8")
            except FileNotFoundError as error:
                print(f"{name}: {error}")
                continue
            except subprocess.CalledProcessError as error:
                print(f"{name}: {error}\n{error.stderr.decode()[-2000:]}\n{error.stdout.decode()[-2000:]}")
                continue
        html = EMPTIED.sub(r"\1\3", html)
        (HERE / f"{name}.html").write_text(html, "utf-8")
        print(f"{name}: {len(html)} characters")


if __name__ == "__main__":
    main()
