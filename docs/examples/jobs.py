"""Syncs in a job system: Procrastinate queues, schedules and retries; the runtime runs.

A worker may be lost after the sync and before its job is marked as done, as here the first one is. Then the job runs
again: its run has the job's id and its records have theirs, so both runs leave what one would have left.
"""

from create import Done
from procrastinate import App, JobContext, RetryStrategy
from procrastinate.testing import InMemoryConnector  # PsycopgConnector in production
from register import runtime

app = App(connector=InMemoryConnector())


@app.task(queue="data-sync", retry=RetryStrategy(max_attempts=3), pass_context=True)
async def sync_user_data(job: JobContext, user_id: str, data: dict[str, object]) -> None:
    done: Done = await runtime.sync("my_sync", {"user_id": user_id, "data": data}, run_id=f"job-{job.job.id}")
    print(f"try {job.job.attempts + 1}: {done.message}")
    if job.job.attempts == 0:
        raise ConnectionError("the worker is lost")
