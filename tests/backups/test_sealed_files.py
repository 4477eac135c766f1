"""The format of sealed files: what was written comes back, and nothing else does."""

import io

import pytest

from deploy.backup.refusals import Refused
from deploy.backup.sealed_files import CHUNK_BYTES, KEY_BYTES, MAGIC, TAG_BYTES, OpeningReader, SealingWriter

KEY = bytes(range(KEY_BYTES))
HEAD_BYTES = len(MAGIC) + 1 + len("one") + 32
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES


def sealed(content: bytes, *, name: str = "base/file", key: bytes = KEY) -> bytes:
    target = io.BytesIO()
    with SealingWriter(target, name=name, key_id="one", key=key) as writing:
        for at in range(0, len(content), 300_000):
            writing.write(content[at : at + 300_000])
    return target.getvalue()


def opened(file: bytes, *, name: str = "base/file", key_id: str = "one", key: bytes = KEY) -> bytes:
    with OpeningReader(io.BytesIO(file), name=name, keys={"other": bytes(32), key_id: key}) as reading:
        return reading.read()


def numbered(length: int) -> bytes:
    return bytes((at >> 12) % 251 for at in range(length))


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_when_a_file_is_opened_then_its_content_is_what_was_sealed(length: int) -> None:
    content = numbered(length)

    file = sealed(content)

    assert opened(file) == content
    assert len(file) == HEAD_BYTES + length + TAG_BYTES * max(1, -(-length // CHUNK_BYTES))


def test_when_the_same_is_sealed_twice_then_no_bytes_of_it_are_the_same() -> None:
    first, second = sealed(bytes(4096)), sealed(bytes(4096))

    assert first[HEAD_BYTES : HEAD_BYTES + 16] != second[HEAD_BYTES : HEAD_BYTES + 16]


@pytest.mark.parametrize("at", [len(MAGIC) + 5, HEAD_BYTES, HEAD_BYTES + SEALED_CHUNK + 7, -1])
def test_when_a_byte_is_flipped_then_the_file_is_refused(at: int) -> None:
    file = bytearray(sealed(numbered(2 * CHUNK_BYTES + 5)))
    file[at] ^= 0x40

    with pytest.raises(Refused, match="can't be believed"):
        opened(bytes(file))


@pytest.mark.parametrize("cut", [1, 5 + TAG_BYTES, SEALED_CHUNK, SEALED_CHUNK + 5 + TAG_BYTES])
def test_when_the_end_is_cut_off_then_the_file_is_refused(cut: int) -> None:
    file = sealed(numbered(2 * CHUNK_BYTES + 5))

    with pytest.raises(Refused, match="can't be believed"):
        opened(file[:-cut])


def test_when_chunks_are_exchanged_doubled_or_added_then_the_file_is_refused() -> None:
    file = sealed(numbered(2 * CHUNK_BYTES + 5))
    head, first = file[:HEAD_BYTES], file[HEAD_BYTES : HEAD_BYTES + SEALED_CHUNK]
    second, last = file[HEAD_BYTES + SEALED_CHUNK :][:SEALED_CHUNK], file[-5 - TAG_BYTES :]

    for changed in (second + first + last, first + first + second + last, first + second + last + last):
        with pytest.raises(Refused, match="can't be believed"):
            opened(head + changed)


def test_when_a_file_takes_the_place_of_another_then_it_is_refused() -> None:
    with pytest.raises(Refused, match="can't be believed"):
        opened(sealed(b"monday", name="base/monday"), name="base/tuesday")


def test_when_the_key_is_another_then_the_file_is_refused() -> None:
    with pytest.raises(Refused, match="the key 'one' is another one now"):
        opened(sealed(b"content"), key=bytes(32))


def test_when_the_key_is_not_in_the_ring_then_its_id_is_told() -> None:
    with pytest.raises(Refused, match="sealed with the key 'one', which BACKUP_KEYS doesn't have"):
        opened(sealed(b"content"), key_id="two")


@pytest.mark.parametrize("file", [b"", b"OWSEAL1\n", b"OWSEAL1\n\x03one", b"PK\x03\x04 something else"])
def test_when_it_is_no_sealed_file_then_it_is_refused(file: bytes) -> None:
    with pytest.raises(Refused, match=r"isn't a sealed file|cut short"):
        opened(file)


def test_when_writing_is_abandoned_then_nobody_takes_the_file_for_whole() -> None:
    target = io.BytesIO()
    writing = SealingWriter(target, name="base/file", key_id="one", key=KEY)
    writing.write(numbered(2 * CHUNK_BYTES))
    writing.abandon()

    with pytest.raises(Refused, match="can't be believed"):
        opened(target.getvalue())
