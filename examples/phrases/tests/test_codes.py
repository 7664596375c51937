import unittest

from phrases.codes import CodeError, checksum, pack, shift, unpack


class ShiftTest(unittest.TestCase):
    def test_letters_move(self):
        self.assertEqual(shift("az", 1), "ba")
        self.assertEqual(shift("Xy-1", 3), "Ab-1")

    def test_back_again(self):
        self.assertEqual(shift(shift("Go", 5), -5), "Go")


class PackTest(unittest.TestCase):
    def setUp(self):
        self.text = "aaab"

    def test_repeats_are_counted(self):
        self.assertEqual(pack(self.text), "3ab")
        self.assertEqual(pack(""), "")

    def test_what_was_packed_is_read(self):
        self.assertEqual(unpack(pack(self.text)), self.text)

    def test_a_count_needs_a_letter(self):
        with self.assertRaises(CodeError):
            unpack("a3")


class ChecksumTest(unittest.TestCase):
    def test_doubled(self):
        self.assertEqual(checksum("18"), 0)
        self.assertEqual(checksum("79"), 4)

    def test_single(self):
        self.assertTrue(checksum("5") == 5)
        self.assertFalse(checksum("59"))
