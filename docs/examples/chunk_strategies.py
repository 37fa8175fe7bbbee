"""The other strategies, each on a document of its own."""

import json

from chunking import ChunkingError, MDocument

SENTENCES = "".join(f"This is sentence number {number} of a text. " for number in range(40))
PROGRAM = "import os\n\n\n" + "\n\n".join(f"def f{number}():\n    return os.cpu_count()\n" for number in range(12))
PAGE = "<h1 id='top'>Guide</h1><p>Read this.</p><div><h2 id='go'>Go on</h2></div><p>And this.</p>"
API = json.dumps({"paths": {"/users": {"get": SENTENCES}, "/jobs": {"get": "Lists jobs."}}})
PAPER = f"\\section{{One}}\n{SENTENCES}\n\\section{{Two}}\n{SENTENCES}"


def show(strategy: str, document: MDocument, **options: object) -> None:
    """The number of chunks, the longest one, and how the second chunk begins."""
    chunks = document.chunk(strategy, **options).get_docs()
    longest = max(chunk.token_count for chunk in chunks)
    print(f"{strategy}: {len(chunks)} chunks, at most {longest} tokens: {chunks[1].text[:30]!r}")


show("recursive", MDocument.from_text(PROGRAM), max_size=64, language="python")
show("character", MDocument.from_text("one;two;three;" * 40), max_size=64, separator=";")
show("token", MDocument.from_text(SENTENCES), max_size=64, overlap=16)
show("sentence", MDocument.from_text(SENTENCES), max_size=64, overlap=16)
show("html", MDocument.from_html(PAGE))
show("json", MDocument.from_json(API), max_size=128)
show("latex", MDocument.from_text(PAPER), max_size=512, encoding="o200k_base")

try:
    MDocument.from_html(PAGE).chunk("markdown")
except ChunkingError as error:
    print(error)
try:
    MDocument.from_text(PROGRAM).chunk("recursive", language="pyton")
except ChunkingError as error:
    print(error)
