"""The catalogue: everything that an agent may do with a runtime, in one list (promise S4)."""

from collections.abc import Sequence

from syncs.crawl import site_crawl
from syncs.runtime import Runtime
from syncs.tools.explaining import explain_tool
from syncs.tools.refreshing import refresh_tool
from syncs.tools.running import sync_tool
from syncs.tools.stored import page_tool, runs_tool, search_tool, sites_tool, status_tool
from syncs.tools.tool import Tool, by_name

__all__ = ["catalogue", "tools_of"]

_MAKERS = (search_tool, page_tool, sites_tool, status_tool, runs_tool, explain_tool)


def catalogue(runtime: Runtime, *, read_only: bool = False) -> list[Tool]:
    """The tools of a runtime: those that change nothing, one for each sync that is registered, and, where the site
    crawl is among them, one that refreshes a site.

    With `read_only`, the syncs are left out. Raises `DuplicateSync` where two tools would have one name, and
    `InvalidSyncDefinition` where a sync's input cannot be told to an agent.
    """
    tools = [make(runtime) for make in _MAKERS]
    if not read_only:
        tools += [sync_tool(runtime, key) for key in runtime.syncs]
        crawls = [key for key, sync in runtime.syncs.items() if sync is site_crawl]
        tools += [refresh_tool(runtime, key) for key in crawls[:1]]
    return list(by_name(tools).values())


def tools_of(source: Runtime | Sequence[Tool]) -> dict[str, Tool]:
    """Tools by name, from a runtime's catalogue or from a list of one's own."""
    return by_name(catalogue(source) if isinstance(source, Runtime) else source)
