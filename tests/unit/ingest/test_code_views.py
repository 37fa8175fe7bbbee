"""Views of source code, as generators and forges write them: one block of code each, to the letter and not numbered."""

import pytest

from ingest import html_to_markdown

URL = "https://x.org/p"
PROSE = "<p>" + "What a reader came for, in some words. " * 6 + "</p>"


def shown(view: str) -> str:
    """The markdown of a view between two paragraphs, without these."""
    markdown = html_to_markdown(f"<main><h1>Source</h1>{PROSE}{view}{PROSE}</main>", URL).markdown
    return markdown.split("\n\n", 2)[2].rpartition("\n\n")[0]


VIEWS = {
    "GitHub": (
        '<div class="blob-wrapper data type-python">'
        '<table class="highlight tab-size js-file-line-container" data-tab-size="8"><tbody><tr>'
        '<td id="L1" class="blob-num js-line-number" data-line-number="1"></td>\n'
        '<td id="LC1" class="blob-code blob-code-inner js-file-line"><span class="pl-k">def</span> '
        '<span class="pl-en">f</span>(x):</td></tr>\n'
        '<tr><td id="L2" class="blob-num js-line-number" data-line-number="2"></td>'
        '<td id="LC2" class="blob-code blob-code-inner js-file-line">    <span class="pl-k">return</span> x'
        "</td></tr>\n"
        '<tr><td id="L3" class="blob-num js-line-number" data-line-number="3"></td>'
        '<td id="LC3" class="blob-code blob-code-inner js-file-line">\n'
        "</td></tr>\n"
        '<tr><td id="L4" class="blob-num js-line-number" data-line-number="4"></td>'
        '<td id="LC4" class="blob-code blob-code-inner js-file-line">g(1)</td></tr></tbody></table></div>',
        "```\ndef f(x):\n    return x\n\ng(1)\n```",
    ),
    "highlightjs-line-numbers": (
        '<pre><code class="hljs language-js"><table class="hljs-ln"><tbody><tr>'
        '<td class="hljs-ln-line hljs-ln-numbers" data-line-number="1">'
        '<div class="hljs-ln-n" data-line-number="1"></div></td>'
        '<td class="hljs-ln-line hljs-ln-code" data-line-number="1"><span class="hljs-keyword">if</span>'
        ' (a) {</td></tr><tr><td class="hljs-ln-line hljs-ln-numbers" data-line-number="2">'
        '<div class="hljs-ln-n" data-line-number="2"></div></td>'
        '<td class="hljs-ln-line hljs-ln-code" data-line-number="2">  b();</td></tr><tr>'
        '<td class="hljs-ln-line hljs-ln-numbers" data-line-number="3">'
        '<div class="hljs-ln-n" data-line-number="3"></div></td>'
        '<td class="hljs-ln-line hljs-ln-code" data-line-number="3">}</td></tr></tbody></table></code></pre>',
        "```javascript\nif (a) {\n  b();\n}\n```",
    ),
    "Pygments, a table": (
        '<div class="highlight-python notranslate"><div class="highlight"><table class="highlighttable"><tr>'
        '<td class="linenos"><div class="linenodiv"><pre><span></span><span class="normal">1</span>\n'
        '<span class="normal">2</span></pre></div></td><td class="code"><div><pre><span></span>'
        '<span class="k">if</span> a:\n    b()\n'
        "</pre></div></td></tr></table></div></div>",
        "```python\nif a:\n    b()\n```",
    ),
    "Pygments, inline": (
        '<div class="highlight-python notranslate"><div class="highlight"><pre><span></span>'
        '<span class="linenos">1</span><span class="k">if</span> a:\n'
        '<span class="linenos">2</span>    b()\n'
        "</pre></div></div>",
        "```python\nif a:\n    b()\n```",
    ),
    "Pygments before 2.7": (
        '<div class="highlight-python"><div class="highlight"><pre><span class="lineno">1 </span>'
        '<span class="k">if</span> a:\n'
        '<span class="lineno">2 </span>    b()\n'
        "</pre></div></div>",
        "```python\nif a:\n    b()\n```",
    ),
    "rustdoc, links": (
        '<section id="source-content" class="content"><div class="example-wrap"><div data-nosnippet>'
        '<pre class="src-line-numbers"><a href="#1" id="1">1</a>\n'
        '<a href="#2" id="2">2</a>\n'
        '<a href="#3" id="3">3</a>\n'
        '</pre></div><pre class="rust"><code><span class="kw">fn</span> f() {\n    g();\n}\n'
        "</code></pre></div></section>",
        "```rust\nfn f() {\n    g();\n}\n```",
    ),
    "rustdoc, a block": (
        '<div class="example-wrap"><pre class="src-line-numbers"><span id="1">1</span>\n'
        '<span id="2">2</span>\n'
        '<span id="3">3</span>\n'
        '</pre><pre class="rust"><code><span class="kw">fn</span> f() {\n    g();\n}\n'
        "</code></pre></div>",
        "```rust\nfn f() {\n    g();\n}\n```",
    ),
    "rustdoc, in the lines": (
        '<div class="example-wrap digits-1"><pre class="rust"><code><a href=#1 id=1 data-nosnippet>1</a>'
        '<span class="kw">fn</span> f() {\n'
        "<a href=#2 id=2 data-nosnippet>2</a>    g();\n"
        "<a href=#3 id=3 data-nosnippet>3</a>}\n"
        "</code></pre></div>",
        "```rust\nfn f() {\n    g();\n}\n```",
    ),
    "Sphinx viewcode": (
        '<div class="highlight"><pre>\n'
        '<span></span><span class="kn">import</span> os\n'
        '<div class="viewcode-block" id="f"><a class="viewcode-back" href="../api.html#f">[docs]</a>'
        '<span class="k">def</span> f(x):\n    <span class="k">return</span> x</div>\n'
        "</pre></div>",
        "```\nimport os\ndef f(x):\n    return x\n```",
    ),
    "Javadoc": (
        '<main role="main"><div class="source-container"><pre><span class="source-line-no">001</span>'
        '<span id="line-1">package a;</span>\n'
        '<span class="source-line-no">002</span><span id="line-2"></span>\n'
        '<span class="source-line-no">003</span><span id="line-3">class B {</span>\n'
        '<span class="source-line-no">004</span><span id="line-4">    int c;</span></pre></div></main>',
        "```\npackage a;\n\nclass B {\n    int c;\n```",
    ),
    "Javadoc before 17": (
        '<div class="sourceContainer"><pre><span class="sourceLineNo">001</span><a name="line.1"></a>'
        "package a;\n"
        '<span class="sourceLineNo">002</span><a name="line.2"></a>    int c;</pre></div>',
        "```\npackage a;\n    int c;\n```",
    ),
    "GitLab": (
        '<div class="file-content code js-syntax-highlight"><div class="line-numbers">'
        '<a class="diff-line-num" data-line-number="1" href="#L1" id="L1">1</a>'
        '<a class="diff-line-num" data-line-number="2" href="#L2" id="L2">2</a></div>'
        '<pre class="code highlight" lang="python"><code><span id="LC1" class="line" lang="python">'
        '<span class="k">if</span> a:</span>\n'
        '<span id="LC2" class="line" lang="python">    b()</span></code></pre></div>',
        "```python\nif a:\n    b()\n```",
    ),
    "Gitea": (
        '<div class="file-view code-view"><table><tbody><tr><td id="L1" class="lines-num">'
        '<span id="L1" data-line-number="1"></span></td><td rel="L1" class="lines-code chroma">'
        '<code class="code-inner"><span class="k">if</span> a:\n'
        '</code></td></tr><tr><td class="lines-num"><span id="L2" data-line-number="2"></span></td>'
        '<td class="lines-code chroma"><code class="code-inner">    b()\n'
        "</code></td></tr></tbody></table></div>",
        "```\nif a:\n    b()\n```",
    ),
    "Chroma, a table": (
        '<div class="highlight"><div class="chroma"><table class="lntable"><tr><td class="lntd">'
        '<pre tabindex="0" class="chroma"><code><span class="lnt">1\n'
        '</span><span class="lnt">2\n'
        '</span></code></pre></td><td class="lntd"><pre tabindex="0" class="chroma">'
        '<code class="language-go" data-lang="go"><span class="line"><span class="cl"><span class="kd">func'
        "</span> f() {\n"
        '</span></span><span class="line"><span class="cl">\tg()\n'
        "</span></span></code></pre></td></tr></table></div></div>",
        "```go\nfunc f() {\n\tg()\n```",
    ),
    "Chroma, inline": (
        '<div class="highlight"><pre tabindex="0" class="chroma"><code class="language-go" data-lang="go">'
        '<span class="line"><span class="ln">1</span><span class="cl"><span class="kd">func</span> f() {\n'
        '</span></span><span class="line"><span class="ln">2</span><span class="cl">\tg()\n'
        "</span></span></code></pre></div>",
        "```go\nfunc f() {\n\tg()\n```",
    ),
    "SyntaxHighlighter": (
        '<div id="highlighter_1" class="syntaxhighlighter java"><table border="0"><tbody><tr>'
        '<td class="gutter"><div class="line number1 index0 alt2">1</div>'
        '<div class="line number2 index1 alt1">2</div></td><td class="code"><div class="container">'
        '<div class="line number1 index0 alt2"><code class="java keyword">if</code> <code class="java plain">'
        '(a)</code></div><div class="line number2 index1 alt1"><code class="java spaces">&nbsp;&nbsp;</code>'
        '<code class="java plain">b();</code></div></div></td></tr></tbody></table></div>',
        "```java\nif (a)\n  b();\n```",
    ),
    "a block a line": (
        '<table class="sourcecode"><tr><td class="linenr">1</td><td class="code"><pre>if a:</pre></td></tr>'
        '<tr><td class="linenr">2</td><td class="code"><pre>    b()</pre></td></tr></table>',
        "```\nif a:\n    b()\n```",
    ),
    "godoc": (
        '<pre><span id="L1" class="ln">     1&nbsp;&nbsp;</span>package a\n'
        '<span id="L2" class="ln">     2&nbsp;&nbsp;</span>\n'
        '<span id="L3" class="ln">     3&nbsp;&nbsp;</span>\tvar x\n'
        "</pre>",
        "```\npackage a\n\n\tvar x\n```",
    ),
    "Shiki": (
        '<pre class="shiki" data-language="ts"><code><span class="line" data-line="1">'
        '<span class="line-number">1</span>if (a) {</span>\n'
        '<span class="line"><span class="line-number">2</span>  b()</span></code></pre>',
        "```typescript\nif (a) {\n  b()\n```",
    ),
    "links in a cell": (
        '<div class="blob"><table><tr><td class="lines"><a href="#L1">1</a>\n'
        '<a href="#L2">2</a>\n'
        '</td><td class="highlight"><pre><span>if a:</span>\n'
        "<span>    b()</span>\n"
        "</pre></td></tr></table></div>",
        "```\nif a:\n    b()\n```",
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_source_code_is_one_block_without_the_numbers(name: str) -> None:
    view, code = VIEWS[name]
    assert shown(view) == code


@pytest.mark.parametrize(
    ("view", "text"),
    [
        ("<pre>1\n2</pre><p>and</p><pre>a\nb</pre>", "```\n1\n2\n```\n\nand\n\n```\na\nb\n```"),
        ("<pre>1\n2</pre>then<pre>a\nb</pre>", "```\n1\n2\n```\n\nthen\n\n```\na\nb\n```"),
        ("<pre>1\n3</pre><pre>a\nb</pre>", "```\n1\n3\n```\n\n```\na\nb\n```"),
        ("<pre>1\n2\n3\n4</pre><pre>a\nb</pre>", "```\n1\n2\n3\n4\n```\n\n```\na\nb\n```"),
        ('<pre><i class="mi">1</i>, x\n<i class="mi">2</i>, y</pre>', "```\n1, x\n2, y\n```"),
        ('<pre><a id="a">1</a>, x\n<a id="b">3</a>, y</pre>', "```\n1, x\n3, y\n```"),
        ('<pre><a id="a">1</a>, x\ny</pre>', "```\n1, x\ny\n```"),
        ('<pre><i class="line">1</i>\n<i class="line">2</i></pre>', "```\n1\n2\n```"),
        (
            "<table><tr><td>1<td><code>a</code><tr><td>2<td><code>b</code></table>",
            "| 1 | `a` |\n| --- | --- |\n| 2 | `b` |",
        ),
        ("<table><tr><th>1<th class=code>a<tr><td>2<td class=code>b</table>", "| 1 | a |\n| --- | --- |\n| 2 | b |"),
        ("<table><tr><td>x<td class=code>a<tr><td>2<td class=code>b</table>", "| x | a |\n| --- | --- |\n| 2 | b |"),
        (
            "<div class=line-block><div class=line><code>1</code></div><div class=line><code>2</code></div></div>",
            "`1`\n\n`2`",
        ),
    ],
)
def test_numbers_and_cells_that_only_look_like_it_stay(view: str, text: str) -> None:
    assert shown(view) == text
