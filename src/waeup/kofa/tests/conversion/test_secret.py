"""Passwords and their hashes."""

import unittest
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha1

from waeup.kofa.conversion.secret import check_password, hash_password, is_hash
from waeup.kofa.errors import Refused, TooLarge


def ssha(password, salt=b"salt", encode=b64encode):
    """Return a hash as Kofa 1.9 kept it."""
    digest = sha1(password.encode() + salt).digest()
    return "{SSHA}" + encode(digest + salt).decode()


class HashTests(unittest.TestCase):
    def test_hash_fits_its_password_only(self):
        hashed = hash_password("geheim", 4)
        self.assertTrue(check_password("geheim", hashed))
        self.assertFalse(check_password("Geheim", hashed))
        self.assertFalse(check_password("", hashed))

    def test_two_hashes_differ(self):
        self.assertNotEqual(hash_password("geheim", 4), hash_password("geheim", 4))

    def test_default_work(self):
        self.assertTrue(hash_password("geheim").startswith("$2b$12$"))

    def test_composed_and_decomposed_letters_are_the_same(self):
        self.assertTrue(check_password("cafe\u0301", hash_password("caf\u00e9", 4)))

    def test_length_is_counted_in_bytes(self):
        """No password is cut silently."""
        longest = "é" * 36
        self.assertTrue(check_password(longest, hash_password(longest, 4)))
        with self.assertRaisesRegex(TooLarge, "has 73 bytes; at most 72"):
            hash_password(longest + "x", 4)
        self.assertFalse(check_password(longest + "x", hash_password(longest, 4)))

    def test_passwords_that_are_refused(self):
        for text, message in (
            ("", "is empty"),
            ("a\0b", "NUL"),
            ("$2b$31$" + "a" * 53, "cost is not accepted"),
        ):
            with self.subTest(text=text), self.assertRaisesRegex(Refused, message):
                hash_password(text, 4)


class KnownHashTests(unittest.TestCase):
    def test_own_hash(self):
        self.assertTrue(is_hash(hash_password("geheim", 4)))

    def test_hash_of_1_9(self):
        """In the usual alphabet, and in the one for URLs that old accounts have."""
        for encode in (b64encode, urlsafe_b64encode):
            for number in range(20):
                password = f"geheim{number}"
                hashed = ssha(password, b"\xfb\xff\xfe" + bytes([number]), encode)
                self.assertTrue(is_hash(hashed))
                self.assertTrue(check_password(password, hashed))
                self.assertFalse(check_password(password + "x", hashed))

    def test_known_value_of_slappasswd(self):
        self.assertTrue(check_password("secret", "{SSHA}x3HIoiF9y6YRi/I4W1fkptbzTDiNr+9l"))

    def test_texts_that_are_no_hashes(self):
        for text in (
            *("", "geheim", "{SSHA}", "{SSHA}short", "{MD5}" + "a" * 32, "$2b$12$"),
            *("{SSHA}" + "a" * 29, "{SSHA}" + b64encode(b"x" * 20).decode()),
            *("$2b$31$" + "a" * 53, "$2b$03$" + "a" * 53, hash_password("x", 4) + "\n"),
        ):
            with self.subTest(text=text):
                self.assertFalse(is_hash(text))
                self.assertFalse(check_password("geheim", text))
