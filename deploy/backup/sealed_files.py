"""The one format that everything is kept in: AES-256-GCM in chunks, written and read as a stream.

A file is `OWSEAL1\\n`, the length of its key's id (1 byte) and that id, 32 bytes of salt, then its chunks. Each chunk
is 1 MiB of content (the last one less, or nothing) and the 16 bytes of its tag. The key of the file is HKDF-SHA-256
of the key that the id names, with the salt, for `OWSEAL1`; no two files share one, so that a chunk's nonce may be its
number (11 bytes, big-endian) and one byte that is 1 for the last chunk and 0 before (the STREAM construction of
Hoang, Reyhanitabar, Rogaway and Vizár). The head and the name of the file are authenticated with every chunk.

So a flipped bit, a chunk that was moved, doubled or left out, a tail that was cut off or added, and a whole file in
the place of another one are all refused, and no content is handed out before it is proved.
"""

import io
import secrets
from collections.abc import Mapping
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deploy.backup.refusals import Refused

MAGIC = b"OWSEAL1\n"
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
SALT_BYTES = 32
KEY_BYTES = 32
MOST_ID_BYTES = 32


class SealingWriter(io.RawIOBase):
    """Seals what is written to it into `target`; the file is whole only after `close`."""

    def __init__(self, target: IO[bytes], *, name: str, key_id: str, key: bytes) -> None:
        salt = secrets.token_bytes(SALT_BYTES)
        head = MAGIC + bytes([len(key_id)]) + key_id.encode() + salt
        self._target = target
        self._cipher = _cipher(key, salt)
        self._bound = head + name.encode()
        self._waiting = bytearray()
        self._number = 0
        target.write(head)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        """Take some more content."""
        self._waiting += memoryview(data)  # type: ignore[arg-type]  # whatever has bytes, as the base class says
        # One chunk stays: only at the end is it known to be the last.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return memoryview(data).nbytes  # type: ignore[arg-type]

    def close(self) -> None:
        """Seal the last chunk; `target` stays open."""
        if not self.closed:
            self._seal(bytes(self._waiting), is_last=True)
        super().close()

    def abandon(self) -> None:
        """Close without the last chunk, so that nobody takes the file for whole."""
        super().close()

    def _seal(self, content: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._target.write(self._cipher.encrypt(nonce, content, self._bound))
        self._number += 1


class OpeningReader(io.RawIOBase):
    """Reads what a SealingWriter has written, and refuses whatever it didn't."""

    def __init__(self, source: IO[bytes], *, name: str, keys: Mapping[str, bytes]) -> None:
        self._name = name
        head = source.read(len(MAGIC) + 1)
        if head[: len(MAGIC)] != MAGIC or len(head) <= len(MAGIC) or head[-1] > MOST_ID_BYTES:
            raise Refused(f"{name} isn't a sealed file.")
        rest = source.read(head[-1] + SALT_BYTES)
        if len(rest) != head[-1] + SALT_BYTES:
            raise Refused(f"{name} is cut short.")
        key_id, salt = rest[: head[-1]].decode(errors="replace"), rest[head[-1] :]
        if key_id not in keys:
            raise Refused(f"{name} is sealed with the key {key_id!r}, which BACKUP_KEYS doesn't have.")
        self._key_id = key_id
        self._cipher = _cipher(keys[key_id], salt)
        self._bound = head + rest + name.encode()
        self._source = source
        self._number = 0
        self._next = source.read(CHUNK_BYTES + TAG_BYTES)
        self._opened = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Hand out content that is proved; 0 at the end, which is proved too."""
        while not self._opened and not self._is_over:
            self._opened = memoryview(self._open())
        into = memoryview(buffer)  # type: ignore[arg-type]  # whatever takes bytes, as the base class says
        count = min(len(into), len(self._opened))
        into[:count] = self._opened[:count]
        self._opened = self._opened[count:]
        return count

    def _open(self) -> bytes:
        chunk, self._next = self._next, self._source.read(CHUNK_BYTES + TAG_BYTES)
        is_last = not self._next
        try:
            content = self._cipher.decrypt(_nonce(self._number, is_last=is_last), chunk, self._bound)
        except InvalidTag:
            raise Refused(
                f"{self._name} can't be believed from its chunk {self._number} on: it was changed, cut short, moved, "
                f"or the key {self._key_id!r} is another one now."
            ) from None
        self._number += 1
        self._is_over = is_last
        return content


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=MAGIC.strip()).derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
