"""`make run` without a URL: build this documentation, serve it on loopback, crawl it, ask it three questions.

Crawl and searches are the `syncline` commands that a person would type, with the person's own settings: they
go to the embedded database in the user's data folder unless DATABASE_URL or SYNCLINE_DATA says otherwise.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from rich.console import Console

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
NAME = "syncline-docs"
QUESTIONS = (
    "Where is the data kept?",
    "How do I crawl only a part of a site?",
    "What does exit code 2 mean?",
)
PREFERRED_PORT = 47613  # fixed, because the port is part of a page's address: a second run finds the same pages


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log line for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the crawl prints its own progress."""


def build(folder: Path) -> None:
    """Build the documentation into `folder`; `CalledProcessError` where mkdocs fails."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=True)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve `folder` on loopback while the context lasts. A taken port gives way to a free one."""
    handler = partial(QuietHandler, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", PREFERRED_PORT), handler)
    except OSError:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def syncline(console: Console, *arguments: str) -> int:
    """Show and run one `syncline` command; its exit code."""
    shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
    console.print(f"\n$ syncline {shown}", style="bold", highlight=False, markup=False, soft_wrap=True)
    return subprocess.Popen([Path(sys.executable).with_name("syncline"), *arguments]).wait()


def main() -> int:
    """Run the demonstration; the exit code of the first command that failed, else 0."""
    # Ctrl-C reaches the running command too: it ends in its own time, and this process waits for it.
    signal.signal(signal.SIGINT, lambda *_: None)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="syncline-docs-") as folder:
        console.print("Building this project's documentation and serving it on loopback", highlight=False)
        build(Path(folder))
        with serve(Path(folder)) as url:
            code = syncline(console, "crawl", url, "--name", NAME)
            for question in QUESTIONS:
                code = code or syncline(console, "search", question, "--entity", NAME, "-k", "3")
    return code


if __name__ == "__main__":
    sys.exit(main())
