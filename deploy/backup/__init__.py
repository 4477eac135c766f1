"""Encrypted backups and the archive of the write-ahead log: `python -m deploy.backup COMMAND`."""
