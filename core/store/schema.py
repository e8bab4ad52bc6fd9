"""The schema of runs.db as numbered migration steps. A released step is never edited; a change is a new step.

`PRAGMA user_version` repeats the number of the last step, so that a reader can check it without this module.
"""

from __future__ import annotations

import json
import sqlite3

from sqlite_utils import Database, Migrations

from core.store.doubts import mark_doubtful
from core.store.protocol import canonical_json

VERSION_OF_STEPS = 14


steps = Migrations("lrm-tui")


@steps(name="0001_models_variants_jobs_responses")
def first(db: Database) -> None:
    """Models, variants, jobs, questions, responses with their texts, the runner's row, engine hosts and notices."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.execute(statement)


@steps(name="0002_no_lease_until")
def no_lease_until(db: Database) -> None:
    """Drop the time at which a lease ends: a lease ends with its runner's fencing token, which a file lock guards."""
    db.execute("ALTER TABLE jobs DROP COLUMN lease_until")


@steps(name="0003_audit_of_stopped_responses")
def audit(db: Database) -> None:
    """The share of collapsed responses that run on under policy `stop` (the audit), and each loop's position and rule.

    `suspicious`: a loop was suspected, not confirmed.
    """
    db.execute("ALTER TABLE jobs ADD COLUMN audit_share REAL NOT NULL DEFAULT 0 CHECK (audit_share BETWEEN 0 AND 1)")
    db.execute("ALTER TABLE responses ADD COLUMN audited INTEGER CHECK (audited IN (0, 1))")
    db.execute("ALTER TABLE responses ADD COLUMN suspicious INTEGER CHECK (suspicious IN (0, 1))")
    db.execute("ALTER TABLE responses ADD COLUMN loop_position INTEGER")
    db.execute("ALTER TABLE responses ADD COLUMN loop_rule TEXT")


@steps(name="0004_models_without_weights")
def models_without_weights(db: Database) -> None:
    """Models on servers and recordings, and for each response the server\'s token counts (`usage`) and its empty replies."""
    for table in ("models", "variants"):
        _edit_schema(db, table, "format IN ('hf', 'gguf')", "format IN ('hf', 'gguf', 'server', 'recording')")
    db.execute("ALTER TABLE responses ADD COLUMN usage TEXT")
    db.execute("ALTER TABLE responses ADD COLUMN empty_replies INTEGER NOT NULL DEFAULT 0")


@steps(name="0005_digests_of_ended_runs")
def digests(db: Database) -> None:
    """Cached summaries of ended runs (see `core.results.run_summary`); any change of a run's responses deletes its summary."""
    db.execute(
        "CREATE TABLE run_digests (job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE, "
        "version INTEGER NOT NULL, summary TEXT NOT NULL, responses BLOB NOT NULL) STRICT"
    )
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        db.execute(
            f"CREATE TRIGGER digest_dropped_by_{event.lower()} AFTER {event} ON responses "
            f"BEGIN DELETE FROM run_digests WHERE job_id = {row}.job_id; END"
        )


@steps(name="0006_reading_responses")
def reading_responses(db: Database) -> None:
    """Verdicts by hand beside the graders', full-text search over responses, and indexes for browsing them.

    Triggers update the full-text index in the transaction that changes a text, whoever writes it. Texts from before this step
    are indexed in batches by `core.store.search`, newest first; texts are indexed from the id `search_progress.since` on.
    """
    for statement in _READING.split(";;\n"):
        db.execute(statement)


@steps(name="0007_starts")
def starts(db: Database) -> None:
    """One row for each start of a job; its primary key (job, attempt) keeps two runners from starting the same attempt."""
    db.execute(
        "CREATE TABLE starts (job_id INTEGER NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, "
        "token INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (job_id, attempt)) STRICT, WITHOUT ROWID"
    )


@steps(name="0008_gpus_of_a_run")
def gpus_of_a_run(db: Database) -> None:
    """How many GPUs a run needs; NULL: as many as its engine's settings say."""
    db.execute("ALTER TABLE jobs ADD COLUMN gpus INTEGER CHECK (gpus >= 0)")


@steps(name="0009_former_grades")
def former_grades(db: Database) -> None:
    """Grades that were replaced when the grader's rules changed: until when each held, and which version replaced it."""
    db.execute(
        "CREATE TABLE former_grades (id INTEGER PRIMARY KEY, response_id INTEGER NOT NULL REFERENCES responses (id), "
        "until REAL NOT NULL, replaced_by TEXT NOT NULL, parsed TEXT, rule TEXT, span_start INTEGER, span_end INTEGER, "
        "correct INTEGER, em REAL, f1 REAL, strict_em REAL, strict_f1 REAL) STRICT"
    )
    db.execute("CREATE INDEX former_grades_by_response ON former_grades (response_id)")


@steps(name="0010_replicas_of_a_run")
def replicas_of_a_run(db: Database) -> None:
    """The number of engines (replicas) that share the questions of a run."""
    db.execute("ALTER TABLE jobs ADD COLUMN replicas INTEGER NOT NULL DEFAULT 1 CHECK (replicas >= 1)")


@steps(name="0011_artifacts_variants_protocols")
def artifacts_variants_protocols(db: Database) -> None:
    """A model is its content; an artifact is bytes, a variant is an artifact with what a run sets on it, and runs know both.

    Runs whose source is known to have changed under them are marked as doubtful, since their outputs may be another model's.
    """
    db.execute("ALTER TABLE variants RENAME TO artifacts")
    # The rename also changed what jobs refer to; they shall refer to the new variants, which keep the old numbers.
    _edit_schema(db, "jobs", 'REFERENCES "artifacts"', "REFERENCES variants")
    for statement in _ARTIFACTS.split(";;\n"):
        db.execute(statement)
    for job, sampling in db.execute("SELECT id, sampling FROM jobs WHERE sampling IS NOT NULL").fetchall():
        db.execute("UPDATE jobs SET sampling = ? WHERE id = ?", (canonical_json(json.loads(sampling)), job))
    mark_doubtful(db)


@steps(name="0012_samples_and_endings")
def samples_and_endings(db: Database) -> None:
    """How many responses a run asks for to each question; how each ended, and where its prompt left the thinking.

    `inferred`: its finish reason is unknown, so that the ending is inferred. What ended within its thinking is graded leniently
    beside: `lenient_credit`, `lenient_score` (0 to 1) as if all of it were the answer.
    """
    db.execute("ALTER TABLE jobs ADD COLUMN samples INTEGER NOT NULL DEFAULT 1 CHECK (samples >= 1)")
    for column in ("ending TEXT", "prompt_thinking TEXT", "lenient_credit REAL", "lenient_score REAL", "inferred INTEGER"):
        db.execute(f"ALTER TABLE responses ADD COLUMN {column}")
    db.execute("CREATE INDEX responses_by_ending ON responses (ending) WHERE state = 'done'")


@steps(name="0013_prompts_of_runs")
def prompts_of_runs(db: Database) -> None:
    """The wordings that runs ask with, each once, by the version that `jobs.prompt_version` names.

    Runs whose questions changed between two attempts, which asked both, are marked as doubtful: two items share a place.
    """
    db.execute(
        "CREATE TABLE prompts (version TEXT PRIMARY KEY, text TEXT NOT NULL, chat INTEGER NOT NULL CHECK (chat IN (0, 1))) "
        "STRICT, WITHOUT ROWID"
    )
    db.execute(
        "UPDATE jobs SET doubt = coalesce(doubt, 'its questions changed while it ran') "
        "WHERE kind = 'run' AND engine <> 'imported' AND EXISTS (SELECT 1 FROM responses WHERE job_id = jobs.id "
        "GROUP BY position, sample HAVING count(*) > 1)"
    )


@steps(name="0014_batches_of_jobs")
def batches_of_jobs(db: Database) -> None:
    """Batches of jobs that a process (its pid and start time) is adding, and the indexes that a long queue needs.

    A number is never used again: jobs keep that of their batch.
    """
    db.execute(
        "CREATE TABLE open_batches (id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, started REAL NOT NULL, "
        "at REAL NOT NULL) STRICT"
    )
    db.execute("ALTER TABLE jobs ADD COLUMN batch INTEGER")
    db.execute("CREATE INDEX jobs_of_batches ON jobs (batch) WHERE batch IS NOT NULL")
    db.execute("CREATE INDEX jobs_in_order ON jobs (position)")
    db.execute("CREATE INDEX preparations ON jobs (variant_id) WHERE kind = 'prepare'")


def _edit_schema(db: Database, table: str, old: str, new: str) -> None:
    """Change a constraint in the schema's text, the only way; SQLite's documentation on ALTER TABLE describes it."""
    version = int(db.execute("PRAGMA schema_version").fetchone()[0])
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?", (old, new, table))
    db.execute(f"PRAGMA schema_version = {version + 1}")
    db.execute("PRAGMA writable_schema = RESET")


def migrate(connection: sqlite3.Connection) -> None:
    """Apply every step that the store lacks, each in its own transaction together with the record that it was applied."""
    steps.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {VERSION_OF_STEPS}")


_FIRST = """
CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('hf', 'gguf')),
    family TEXT NOT NULL
) STRICT;
CREATE TABLE variants (
    id INTEGER PRIMARY KEY,
    model_id INTEGER NOT NULL REFERENCES models (id),
    compression TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('hf', 'gguf')),
    path TEXT,
    sha256 TEXT,
    bytes INTEGER,
    parameters INTEGER,
    bits_per_weight REAL,
    sparsity REAL,
    ready_at REAL,
    UNIQUE (model_id, compression, format)
) STRICT;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('prepare', 'run')),
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled')),
    wanted TEXT CHECK (wanted IN ('cancel', 'pause')),
    position REAL NOT NULL,
    variant_id INTEGER NOT NULL REFERENCES variants (id),
    benchmark TEXT,
    engine TEXT,
    sampling TEXT,
    seed INTEGER NOT NULL DEFAULT 0,
    item_limit INTEGER,
    policy TEXT NOT NULL DEFAULT 'stop' CHECK (policy IN ('observe', 'stop')),
    data_folder TEXT,
    prompts_file TEXT,
    prompt_version TEXT,
    engine_version TEXT,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER,
    lease_until REAL,
    progress_done INTEGER NOT NULL DEFAULT 0,
    progress_total INTEGER,
    message TEXT NOT NULL DEFAULT '',
    tokens_per_second REAL,
    error TEXT,
    remedy TEXT,
    CHECK (kind = 'prepare' OR (benchmark IS NOT NULL AND engine IS NOT NULL AND sampling IS NOT NULL))
) STRICT;
CREATE INDEX jobs_by_position ON jobs (state, position);
CREATE UNIQUE INDEX one_open_prepare ON jobs (variant_id)
    WHERE kind = 'prepare' AND state IN ('queued', 'running', 'paused');
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    benchmark TEXT NOT NULL,
    key TEXT NOT NULL,
    revision TEXT NOT NULL,
    fields TEXT NOT NULL,
    gold TEXT NOT NULL,
    UNIQUE (benchmark, key, revision)
) STRICT;
CREATE TABLE responses (
    id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    item_id INTEGER NOT NULL REFERENCES items (id),
    position INTEGER NOT NULL,
    sample INTEGER NOT NULL DEFAULT 0,
    seed INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active', 'done')),
    attempt INTEGER NOT NULL DEFAULT 0,
    resumed_at INTEGER,
    prompt_tokens INTEGER,
    token_limit INTEGER,
    finish_reason TEXT CHECK (finish_reason IN ('stop', 'length', 'repetition', 'cancelled', 'error')),
    error TEXT,
    answer_start INTEGER,
    thinking_words INTEGER,
    answer_words INTEGER,
    thinking_tokens INTEGER,
    answer_tokens INTEGER,
    parsed TEXT,
    rule TEXT,
    span_start INTEGER,
    span_end INTEGER,
    correct INTEGER CHECK (correct IN (0, 1)),
    em REAL,
    f1 REAL,
    strict_em REAL,
    strict_f1 REAL,
    collapsed INTEGER CHECK (collapsed IN (0, 1)),
    loop_onset INTEGER,
    loop_period INTEGER,
    loop_unit TEXT,
    loop_count INTEGER,
    started REAL,
    finished REAL,
    seconds REAL,
    UNIQUE (job_id, item_id, sample),
    CHECK ((state = 'done') = (finish_reason IS NOT NULL))
) STRICT;
CREATE INDEX responses_by_job ON responses (job_id, state);
CREATE TABLE response_texts (
    response_id INTEGER PRIMARY KEY REFERENCES responses (id),
    prompt TEXT NOT NULL,
    text TEXT NOT NULL DEFAULT '',
    token_ids BLOB
) STRICT;
CREATE TABLE chunks (
    response_id INTEGER NOT NULL REFERENCES responses (id),
    seq INTEGER NOT NULL,
    text TEXT NOT NULL,
    token_ids BLOB NOT NULL,
    PRIMARY KEY (response_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE runner (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    token INTEGER NOT NULL,
    pid INTEGER,
    pid_started REAL,
    beat REAL,
    state TEXT NOT NULL DEFAULT 'stopped' CHECK (state IN ('serving', 'stopped')),
    wanted TEXT CHECK (wanted = 'stop')
) STRICT;
INSERT INTO runner (id, token) VALUES (1, 0);
CREATE TABLE hosts (
    pid INTEGER PRIMARY KEY,
    pid_started REAL NOT NULL,
    token INTEGER NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs (id)
) STRICT;
CREATE TABLE notices (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    job_id INTEGER REFERENCES jobs (id),
    message TEXT NOT NULL,
    remedy TEXT NOT NULL DEFAULT ''
) STRICT;
"""

_READING = """
ALTER TABLE responses ADD COLUMN hand INTEGER CHECK (hand IN (0, 1));;
ALTER TABLE responses ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1));;
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    response_id INTEGER NOT NULL REFERENCES responses (id),
    at REAL NOT NULL,
    verdict INTEGER CHECK (verdict IN (0, 1)),
    flagged INTEGER NOT NULL CHECK (flagged IN (0, 1)),
    note TEXT NOT NULL DEFAULT ''
) STRICT;;
CREATE INDEX reviews_by_response ON reviews (response_id);;
CREATE TRIGGER the_latest_review_counts AFTER INSERT ON reviews BEGIN
    UPDATE responses SET hand = new.verdict, flagged = new.flagged WHERE id = new.response_id;
END;;
CREATE INDEX responses_by_item ON responses (item_id);;
CREATE INDEX responses_done ON responses (id) WHERE state = 'done';;
CREATE INDEX responses_correct ON responses (id) WHERE state = 'done' AND coalesce(hand, correct, em) = 1;;
CREATE INDEX responses_wrong ON responses (id) WHERE state = 'done' AND coalesce(hand, correct, em) = 0;;
CREATE INDEX responses_unparsed ON responses (id) WHERE state = 'done' AND parsed IS NULL;;
CREATE INDEX responses_looped ON responses (id) WHERE state = 'done' AND collapsed = 1;;
CREATE INDEX responses_reviewed ON responses (id) WHERE hand IS NOT NULL OR flagged = 1;;
CREATE INDEX responses_by_words ON responses (coalesce(thinking_words, 0) + coalesce(answer_words, 0)) WHERE state = 'done';;
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = 'response_texts', content_rowid = 'response_id', tokenize = 'unicode61 remove_diacritics 2'
);;
CREATE TABLE search_progress (id INTEGER PRIMARY KEY CHECK (id = 1), since INTEGER NOT NULL) STRICT;;
INSERT INTO search_progress SELECT 1, coalesce(max(response_id), 0) + 1 FROM response_texts;;
CREATE TRIGGER search_new_text AFTER INSERT ON response_texts WHEN new.text <> '' BEGIN
    INSERT INTO search (rowid, text) VALUES (new.response_id, new.text);
END;;
CREATE TRIGGER search_changed_text AFTER UPDATE OF text ON response_texts WHEN new.text <> old.text BEGIN
    INSERT INTO search (search, rowid, text) SELECT 'delete', old.response_id, old.text
        WHERE EXISTS (SELECT 1 FROM search_docsize WHERE id = old.response_id);
    INSERT INTO search (rowid, text) SELECT new.response_id, new.text WHERE new.text <> '';
END;;
CREATE TRIGGER search_no_text AFTER DELETE ON response_texts BEGIN
    INSERT INTO search (search, rowid, text) SELECT 'delete', old.response_id, old.text
        WHERE EXISTS (SELECT 1 FROM search_docsize WHERE id = old.response_id);
END
"""

_ARTIFACTS = """
ALTER TABLE artifacts ADD COLUMN stamp TEXT;;
ALTER TABLE models ADD COLUMN revision TEXT;;
ALTER TABLE models ADD COLUMN sha256 TEXT;;
ALTER TABLE models ADD COLUMN stamp TEXT;;
CREATE INDEX models_by_source ON models (source);;
UPDATE models SET sha256 = (SELECT a.sha256 FROM artifacts a
    WHERE a.model_id = models.id AND a.compression = 'none' AND a.format = models.format AND a.path = models.source);;
CREATE TABLE variants (
    id INTEGER PRIMARY KEY,
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id),
    kv_type TEXT,
    thinking TEXT CHECK (thinking IN ('on', 'off')),
    effort TEXT CHECK (effort IN ('low', 'medium', 'high')),
    budget INTEGER CHECK (budget > 0),
    arguments TEXT NOT NULL DEFAULT '{}',
    suffix TEXT NOT NULL GENERATED ALWAYS AS (
        CASE thinking WHEN 'on' THEN ' thinking' WHEN 'off' THEN ' no-thinking' ELSE '' END
        || coalesce(' effort-' || effort, '') || coalesce(' budget-' || budget, '')
        || CASE arguments WHEN '{}' THEN '' ELSE ' ' || arguments END || coalesce(' kv-' || kv_type, '')
    ) VIRTUAL
) STRICT;;
CREATE UNIQUE INDEX variants_alike ON variants (
    artifact_id, coalesce(kv_type, ''), coalesce(thinking, ''), coalesce(effort, ''), coalesce(budget, 0), arguments
);;
INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts;;
ALTER TABLE jobs ADD COLUMN benchmark_version TEXT;;
ALTER TABLE jobs ADD COLUMN weights_sha256 TEXT;;
ALTER TABLE jobs ADD COLUMN doubt TEXT;;
UPDATE jobs SET weights_sha256 = (
    SELECT a.sha256 FROM variants v JOIN artifacts a ON a.id = v.artifact_id WHERE v.id = jobs.variant_id
) WHERE kind = 'run' AND engine <> 'imported';;
DROP INDEX one_open_prepare
"""
