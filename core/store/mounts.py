"""On what kind of file system a path lies, by the kernel's table of mounts (proc(5), mountinfo)."""

from __future__ import annotations

import re
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")
NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "panfs", "pvfs2",
    "davfs", "ncpfs", "vboxsf", "fuse.sshfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.gcsfuse", "fuse.juicefs", "fuse.mergerfs", "fuse.davfs2", "fuse.smbnetfs", "fuse.bindfs",
})  # fmt: skip
"""Types on which memory shared between processes or locks are not what SQLite's write-ahead log needs."""

_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system(path: Path, table: Path = TABLE) -> str:
    """The type of the file system that holds a path, symbolic links followed; empty where there is no table.

    A later line lies over an earlier one of the same place, as with automounted folders.
    """
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    resolved = path.resolve()
    best, kind = Path("/"), ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mounted = Path(_ESCAPE.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        if resolved.is_relative_to(mounted) and mounted.is_relative_to(best):
            best, kind = mounted, after.split()[0]
    return kind
