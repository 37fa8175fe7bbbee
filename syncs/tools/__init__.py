"""What agents may do: one catalogue of tools, and its renderings for OpenAI, MCP and LangChain."""

from syncs.tools.catalogue import catalogue
from syncs.tools.openai import openai_call, openai_tools
from syncs.tools.tool import Report, Tool, ToolError

__all__ = ["Report", "Tool", "ToolError", "catalogue", "openai_call", "openai_tools"]
