"""What the runner writes about the content of models and artifacts: confirmed, moved to a new model, to be made again."""

from __future__ import annotations

from dataclasses import dataclass

from core.spec import Format
from core.store.fence import FencedStore
from core.store.joins import JOBS
from core.store.variants import move_to_content, prepare_first


@dataclass(frozen=True, slots=True)
class Content:
    """What the store knows of the files of a job: of its model at `source`, and of its artifact at `path`.

    `begun_with` is the hash of the weights that the run's responses come from, None where it has none yet.
    """

    model: int
    model_format: Format
    source: str
    model_sha256: str | None
    model_stamp: str | None
    artifact: int
    path: str | None
    sha256: str | None
    stamp: str | None
    begun_with: str | None


class ContentWrites(FencedStore):
    """Writes about content."""

    def content(self, job: int) -> Content:
        """What is known of a job's files."""
        with self._mutex:
            return Content(*self.connection.execute(_CONTENT, (job,)).fetchone())

    def confirm_model(self, model: int, stamp: str) -> None:
        """A model's files were written, and hold what they held."""
        with self.fenced() as connection:
            connection.execute("UPDATE models SET stamp = ? WHERE id = ?", (stamp, model))

    def confirm_artifact(self, artifact: int, stamp: str) -> None:
        """An artifact's files were written, and hold what they held."""
        with self.fenced() as connection:
            connection.execute("UPDATE artifacts SET stamp = ? WHERE id = ?", (stamp, artifact))

    def move_to_content(self, job: int, content: Content, sha256: str, stamp: str) -> None:
        """Make a job, and what else of its artifact has nothing yet, one of the content that is there now, and say so."""
        with self.fenced() as connection:
            move_to_content(connection, content.artifact, sha256, stamp)
            sql = f"SELECT j.kind, j.position, j.variant_id, m.name FROM {JOBS} WHERE j.id = ?"
            row = connection.execute(sql, (job,)).fetchone()
            if row["kind"] == "run":
                prepare_first(connection, row["variant_id"], row["position"] - 0.5)
        message = f"{content.source} holds other weights than before: what was queued for it measures them as {row['name']}."
        self.notice("warning", message, "Runs of the former weights keep their name.", job=job)

    def make_again(self, job: int, content: Content, why: str) -> None:
        """Queue the preparation of an artifact whose files are gone or changed before the run that needs it, and say so."""
        with self.fenced() as connection:
            connection.execute("UPDATE artifacts SET ready_at = NULL WHERE id = ?", (content.artifact,))
            row = connection.execute("SELECT position, variant_id FROM jobs WHERE id = ?", (job,)).fetchone()
            prepare_first(connection, row["variant_id"], row["position"] - 0.5)
        self.notice("warning", why, job=job)

    def doubt(self, job: int, why: str) -> None:
        """Mark a run as doubtful in every table."""
        with self.fenced() as connection:
            connection.execute("UPDATE jobs SET doubt = ? WHERE id = ?", (why, job))


_CONTENT = f"""
SELECT m.id, m.format, m.source, m.sha256, m.stamp, a.id, a.path, a.sha256, a.stamp, j.weights_sha256
FROM {JOBS} WHERE j.id = ?
"""
