"""A runtime: the syncs of a program by their keys, and the engine that they write to."""

from create import my_sync
from records import store_records

from engine import PostgresEngine
from syncs import Runtime

runtime = Runtime(
    engine=PostgresEngine(),  # DATABASE_URL, else the embedded PostgreSQL; or PostgresEngine("postgresql://...")
    syncs={"my_sync": my_sync, "store_records": store_records},
)
