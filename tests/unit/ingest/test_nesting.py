"""Elements inside of each other: the work of reading a page grows with the page, whatever nests in it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest import boilerplate, html_to_markdown
from ingest.nesting import MOST_INSIDE, ids_above, outer

URL = "https://x.org/p"
LINK = '<a href="#x">aa</a>'
PROSE = "<p>" + "What a reader came for, in some words. " * 20 + "</p>"


@dataclass
class Node:
    """An element of a chain that counts how often it is asked for its parent."""

    mem_id: int
    above: "Node | None"
    asked: list[int] = field(default_factory=list)

    @property
    def parent(self) -> "Node | None":
        self.asked.append(self.mem_id)
        return self.above


def chain(length: int) -> list[Node]:
    asked: list[int] = []
    nodes: list[Node] = []
    for number in range(length):
        nodes.append(Node(number, nodes[-1] if nodes else None, asked))
    return nodes


def test_of_nodes_inside_of_each_other_the_outer_ones_are_looked_at_and_all_that_lie_apart() -> None:
    tree = LexborHTMLParser(f"{'<div><p>' * 5}<b>x</b>{'</p></div>' * 5}<div>apart</div>" + "<div>" * 30)
    nodes = tree.css("div")
    assert [node.mem_id for node in outer(nodes)] == [node.mem_id for node in (*nodes[:6], *nodes[6 : 6 + MOST_INSIDE])]
    assert [node.mem_id for node in outer(nodes, 1)] == [node.mem_id for node in (nodes[0], nodes[5], nodes[6])]
    assert outer([]) == []


def test_what_is_above_is_known_of_every_node() -> None:
    tree = LexborHTMLParser("<body><section><p><b>x</b></p></section><div><i>y</i></div>")
    names = {node.mem_id: node.tag for node in tree.css("*")}
    assert sorted(names[one] for one in ids_above(tree.css("b, p")) if one in names) == ["body", "html", "p", "section"]


@pytest.mark.parametrize("look", [outer, ids_above])
def test_each_parent_is_asked_for_once(look: Callable[[list[Node]], object]) -> None:
    for length in (1_000, 2_000):
        nodes = chain(length)
        look(nodes)
        assert len(nodes[0].asked) <= 2 * length


NESTED = {
    "lists of links": (f"<ul><li>{LINK}</li><li>", "</li></ul>"),
    "numbered lists of links": (f"<ol><li>{LINK}</li><li>", "</li></ol>"),
    "menus by name": (f"<ul class=navlist><li>{LINK}</li><li>", "</li></ul>"),
    "contents by name": (f"<div class=toc>{LINK}", "</div>"),
    "folded contents": (f"<details class=toc>{LINK}", "</details>"),
    "lists after boxes": ("<div>a", f"</div><ul><li>{LINK}</li></ul>"),
    "headers": ("<header><h2 id=a>a</h2>b", "</header>"),
    "footers": ("<footer>a ", "</footer>"),
    "asides": ("<aside>a ", "</aside>"),
    "side bars": ("<div class=sidebar>a ", "</div>"),
    "boxes with ids": ("<div id=a>a ", "</div>"),
    "labels": ("<label>a ", "</label>"),
    "articles": ("<article class=content>a ", "</article>"),
    "numbered code": ("<table><tr><td><pre>1\n2</pre></td><td>", "</td></tr></table>"),
    "images": ("<p><x-y><img src=a><img src=a>", "</x-y></p>"),
}


@pytest.mark.promise("C6")
@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize(
    "before", ["", "<main><h1>T</h1>", f"<header>{LINK}</header>{PROSE}"], ids=["bare", "main", "page"]
)
def test_twice_the_depth_is_twice_the_work(monkeypatch: pytest.MonkeyPatch, name: str, before: str) -> None:
    def looked_at(depth: int) -> int:
        opened, closed = NESTED[name]
        html_to_markdown(f"{before}{opened * depth}x{closed * depth}", URL)
        return sum(counted)

    counted: list[int] = []
    length = boilerplate.text_length

    def counting(node: LexborNode) -> int:
        counted.append(len(node.css("*")))
        return length(node)

    for module in ("boilerplate", "contents", "extract"):
        monkeypatch.setattr(f"ingest.{module}.text_length", counting)
    once = looked_at(300)
    counted.clear()
    assert looked_at(600) <= 2.5 * once + 600


@pytest.mark.slow
@pytest.mark.promise("C6")
@pytest.mark.parametrize("name", ["lists of links", "numbered lists of links", "menus by name", "images"])
def test_twenty_thousand_inside_of_each_other_are_read_to_the_last_word(name: str) -> None:
    opened, closed = NESTED[name]
    page = html_to_markdown(f"<main><h1>T</h1>{PROSE}{opened * 20_000}deep down{closed * 20_000}</main>", URL)
    assert "deep down" in page.markdown
