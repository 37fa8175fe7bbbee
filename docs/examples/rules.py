"""Markdown by rules of one's own: what becomes of a tag is a method, and the class goes to `html_to_markdown`."""

from collections.abc import Set

import ingest


class Rules(ingest.MarkdownRules):
    """Syncline's rules, but for three tags."""

    def convert_abbr(self, el: ingest.Element, text: str, parent_tags: Set[str]) -> str:
        """An abbreviation with what it is short for."""
        title = el.attrs.get("title")
        return f"{text} ({title})" if title and "_noformat" not in parent_tags else text

    def convert_mark(self, el: ingest.Element, text: str, parent_tags: Set[str]) -> str:
        """Highlighted text as strong text."""
        return self.convert_b(el, text, parent_tags)

    def convert_img(self, el: ingest.Element, text: str, parent_tags: Set[str]) -> str:
        """The words for an image alone."""
        return self.escape(el.attrs.get("alt", ""), {*parent_tags, "_inline"})


HTML = """
<main><h1 id="oil">Oil</h1>
<p>Use <abbr title="Society of Automotive Engineers">SAE</abbr> 30, and <mark>no other</mark>.
<img src="can.png" alt="A can"></p>
</main>
"""

page = ingest.html_to_markdown(HTML, "https://docs.example.org/oil.html", rules=Rules)
print(page.markdown)
