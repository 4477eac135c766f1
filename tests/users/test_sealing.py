"""Sealed texts under attack: whatever is altered, moved or unknown doesn't open."""

from uuid import UUID

import pytest

from users.sealing import SealBroken, keyed_digest, needs_resealing, open_sealed, seal

ROW = UUID("0190b6d0-0000-7000-8000-000000000001")
OTHER_ROW = UUID("0190b6d0-0000-7000-8000-000000000002")
KEY_A = ("a", b"A" * 32)
KEY_B = ("b", b"B" * 32)
SAME_AS_A = ("c", b"A" * 32)
PLACE = {"table": "tokens_vaultedcard", "column": "sealed", "row_id": ROW}


@pytest.fixture(autouse=True)
def _ring(settings):
    settings.ENCRYPTION_KEYS = (KEY_A, KEY_B, SAME_AS_A)


def test_when_opened_at_its_place_then_the_text_comes_back():
    text = seal(b"4242424242424242", **PLACE)

    opened = open_sealed(text, **PLACE)

    assert opened == b"4242424242424242"


def test_when_sealed_then_the_form_is_version_key_nonce_ciphertext_without_padding():
    version, key_id, nonce, ciphertext = seal(b"x" * 16, **PLACE).split(".")

    assert (version, key_id, len(nonce), len(ciphertext)) == ("v1", "a", 16, 43)


def test_when_sealed_twice_then_no_two_texts_are_equal():
    texts = {seal(b"same", **PLACE) for _ in range(50)}

    assert len(texts) == 50


def test_when_the_ring_has_several_keys_then_the_first_seals_and_the_others_open(settings):
    sealed_by_a = seal(b"old", **PLACE)

    settings.ENCRYPTION_KEYS = (KEY_B, KEY_A)
    sealed_by_b = seal(b"new", **PLACE)

    assert sealed_by_b.startswith("v1.b.")
    assert open_sealed(sealed_by_a, **PLACE) == b"old"
    assert (needs_resealing(sealed_by_a), needs_resealing(sealed_by_b)) == (True, False)


@pytest.mark.parametrize(
    "place",
    [
        {**PLACE, "row_id": OTHER_ROW},
        {**PLACE, "column": "provider_ref"},
        {**PLACE, "table": "tokens_paymenttoken"},
    ],
    ids=["row", "column", "table"],
)
def test_when_moved_to_another_place_then_it_does_not_open(place):
    text = seal(b"4242424242424242", **PLACE)

    with pytest.raises(SealBroken):
        open_sealed(text, **place)


@pytest.mark.parametrize("key_id", ["b", "c"], ids=["other key", "same key under another id"])
def test_when_the_key_id_is_swapped_then_it_does_not_open(key_id):
    version, _, nonce, ciphertext = seal(b"4242424242424242", **PLACE).split(".")

    with pytest.raises(SealBroken):
        open_sealed(f"{version}.{key_id}.{nonce}.{ciphertext}", **PLACE)


def test_when_any_character_is_altered_then_it_does_not_open():
    text = seal(b"4242424242424242", **PLACE)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

    for index, character in enumerate(text):
        following = alphabet[(alphabet.index(character) + 1) % len(alphabet)]
        altered = text[:index] + following + text[index + 1 :]

        with pytest.raises(SealBroken):
            open_sealed(altered, **PLACE)


def test_when_any_bit_of_nonce_or_ciphertext_is_flipped_then_it_does_not_open():
    from users.sealing import _decode, _encode

    version, key_id, nonce, ciphertext = seal(b"4242", **PLACE).split(".")
    raw = _decode(nonce) + _decode(ciphertext)

    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        text = ".".join((version, key_id, _encode(bytes(flipped[:12])), _encode(bytes(flipped[12:]))))

        with pytest.raises(SealBroken):
            open_sealed(text, **PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "v1.a",
        "v1.a.AAAA",
        "v1.a..",
        "v1.a.AAAA.AAAA",
        "v1.a.AAAAAAAAAAAAAAAA.",
        "v1.a.é.é",
        "4242424242424242",
    ],
)
def test_when_the_text_was_never_sealed_then_it_does_not_open(text):
    with pytest.raises(SealBroken):
        open_sealed(text, **PLACE)


def test_when_the_version_is_unknown_then_it_does_not_open():
    text = seal(b"4242", **PLACE)

    with pytest.raises(SealBroken, match="version"):
        open_sealed("v2" + text[2:], **PLACE)


def test_when_the_key_has_left_the_ring_then_it_does_not_open(settings):
    text = seal(b"4242", **PLACE)
    settings.ENCRYPTION_KEYS = (KEY_B,)

    with pytest.raises(SealBroken, match="not in the ring"):
        open_sealed(text, **PLACE)


def test_when_padding_is_added_then_it_does_not_open():
    text = seal(b"4242", **PLACE)

    with pytest.raises(SealBroken):
        open_sealed(text + "=", **PLACE)


def test_when_a_seal_is_broken_then_the_message_holds_neither_text_nor_key():
    text = seal(b"4242424242424242", **PLACE)

    with pytest.raises(SealBroken) as broken:
        open_sealed(text[:-1] + ("A" if text[-1] != "A" else "B"), **PLACE)

    assert text.split(".")[3][:8] not in str(broken.value)
    assert broken.value.__cause__ is None


def test_when_digested_then_key_purpose_and_value_each_count():
    digest = keyed_digest(b"k" * 32, "card number", "4242424242424242")

    assert len(digest) == 32
    assert digest == keyed_digest(b"k" * 32, "card number", "4242424242424242")
    assert digest != keyed_digest(b"l" * 32, "card number", "4242424242424242")
    assert digest != keyed_digest(b"k" * 32, "reference", "4242424242424242")
    assert digest != keyed_digest(b"k" * 32, "card number", "4000000000000002")
