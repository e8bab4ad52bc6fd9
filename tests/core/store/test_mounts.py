"""Network file systems are found in the table of mounts, through links and one over another."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.store.mounts import NETWORK, file_system

TABLE = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /home rw,relatime - autofs systemd-1 rw
31 30 0:41 / /home rw,relatime - nfs4 server:/home rw,vers=4.2
32 22 0:42 / /mnt/my\\040disk rw master:2 - fuse.sshfs me@there:/ rw
33 22 0:43 / /scratch rw - lustre 10.0.0.1@tcp:/fs rw
34 33 254:1 / /scratch/local rw - xfs /dev/vdb rw
35 22 0:44 / /homework rw - xfs /dev/vdc rw
a line that is none
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(TABLE)
    return file


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/runs.db", "ext4"),
        ("/home/me/runs.db", "nfs4"),
        ("/homework/runs.db", "xfs"),
        ("/mnt/my disk/runs.db", "fuse.sshfs"),
        ("/scratch/me/runs.db", "lustre"),
        ("/scratch/local/runs.db", "xfs"),
    ],
)
def test_the_innermost_mount_counts_and_the_last_of_those_at_one_place(table: Path, path: str, kind: str) -> None:
    assert file_system(Path(path), table) == kind
    assert (kind in NETWORK) == (kind not in ("ext4", "xfs"))


def test_links_are_followed(table: Path, tmp_path: Path) -> None:
    link = tmp_path / "here"
    link.symlink_to("/home/me")
    assert file_system(link / "runs.db", table) == "nfs4"


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    assert file_system(tmp_path, tmp_path / "missing") == ""


def test_this_machine_is_known() -> None:
    assert file_system(Path("/proc/self")) == "proc"
