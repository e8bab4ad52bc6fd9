"""runs.db: the one wire between screens, commands and the runner.

`connection` opens the file, `migrations` shapes it, `snapshot` reads what screens show, `writes` holds what the runner
writes. What users write (add, cancel, reorder) stands in `core.jobs.queue`; scores are queries in `core.results`.
"""
