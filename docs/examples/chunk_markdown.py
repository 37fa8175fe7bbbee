"""Markdown into chunks: what each chunk says of itself, and how a table and a fence over the cap are cut."""

from chunking import MDocument

ROWS = "".join(f"| option{number} | what the option number {number} does |\n" for number in range(40))
CODE = "".join(f"print('line {number} of the program')\n" for number in range(40))
GUIDE = f"""# Guide

## Options

| name | meaning |
|------|---------|
{ROWS}
## Example

```python
{CODE}```
"""

document = MDocument.from_markdown(GUIDE, {"title": "The guide", "source_url": "https://docs.example.org/guide"})
for chunk in document.chunk("markdown", max_size=256).get_docs():
    first, *_, last = chunk.text.splitlines()
    print(chunk.position, chunk.token_count, " > ".join(chunk.headings), chunk.languages, chunk.span)
    print("   ", first, "...", last)
