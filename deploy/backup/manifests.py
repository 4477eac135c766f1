"""PostgreSQL's own manifest of a backup: every file of it with size and SHA-256, and a digest of the manifest itself.

The form is that of the manual's chapter "Backup Manifest Format". What is checked is what pg_verifybackup checks; that
program isn't called, because the packaged PostgreSQL of `make run` has one that can't be executed.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from deploy.backup.catalogue import digest_of
from deploy.backup.refusals import Refused

NAME = "backup_manifest"
CHECKSUMS = "SHA256"
# Not part of a backup: the log comes from the archive, and the rest says how the server is to start.
NOT_LISTED = {NAME, "postgresql.auto.conf", "recovery.signal", "standby.signal"}
LOG = "pg_wal"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is used of it: where the log begins and ends that the backup needs, and digests in hexadecimal by path."""

    timeline: int
    start_lsn: str
    stop_timeline: int
    stop_lsn: str
    files: dict[str, tuple[int, str]]


def read_manifest(content: bytes, *, name: str) -> Manifest:
    """Read a manifest. Refuses one that is damaged, or has other digests than SHA-256."""
    try:
        end = content.rindex(b'"Manifest-Checksum"')
        parsed = json.loads(content)
        if hashlib.sha256(content[:end]).hexdigest() != parsed["Manifest-Checksum"]:
            raise ValueError
        files = {}
        for each in parsed["Files"]:
            path = each["Path"] if "Path" in each else bytes.fromhex(each["Encoded-Path"]).decode()
            if each["Checksum-Algorithm"] != CHECKSUMS:
                raise ValueError
            files[path] = (int(each["Size"]), str(each["Checksum"]))
        first, last = parsed["WAL-Ranges"][0], parsed["WAL-Ranges"][-1]
        return Manifest(
            timeline=first["Timeline"],
            start_lsn=first["Start-LSN"],
            stop_timeline=last["Timeline"],
            stop_lsn=last["End-LSN"],
            files=files,
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Refused(f"{name} isn't a manifest with digests as PostgreSQL writes it.") from error


def require_as_listed(folder: Path, *, name: str) -> None:
    """Compare every file of an unpacked backup with its manifest. Refuses, naming the first that differs."""
    manifest = read_manifest((folder / NAME).read_bytes(), name=f"{name}/{NAME}")
    for path, (size_bytes, digest) in manifest.files.items():
        if path in NOT_LISTED:
            continue
        file = folder / path
        if not file.is_file() or file.stat().st_size != size_bytes or digest_of(file) != digest:
            raise Refused(f"{name}/{path} isn't what the manifest says.")
    for parent, _, names in os.walk(folder):
        for each in names:
            path = str((Path(parent) / each).relative_to(folder))
            if path not in manifest.files and path not in NOT_LISTED and not path.startswith(f"{LOG}/"):
                raise Refused(f"{name}/{path} isn't in the manifest.")
