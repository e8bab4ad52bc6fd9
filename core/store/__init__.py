"""runs.db: the only link between screens, commands and the runner.

`connection` opens the file and `schema` migrates it. Readers: `snapshot` and `watch` (queue and streams), `browse`, `filters`
and `search` (finished responses). Writers: `runner_store` for the runner, made of `fence`, `queue_writes` and
`response_writes`; `reviews` for verdicts by hand; `core.jobs.queue` for what users ask of the queue.
"""
