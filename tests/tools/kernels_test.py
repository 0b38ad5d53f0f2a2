"""tools/kernels.py against figures worked out by hand."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import kernels as k  # noqa: E402


class Occupancy(unittest.TestCase):
    def check(self, architecture, threads, registers, shared, expected):
        share = k.occupancy(k.ARCHITECTURES[architecture], threads, registers, shared)
        self.assertAlmostEqual(share, expected)

    def test_threads_and_blocks(self):
        self.check(80, 256, 32, 0, 1)
        self.check(80, 32, 16, 0, 0.5)  # 32 blocks of one warp, of 64
        self.check(75, 32, 16, 0, 0.5)  # 16 of 32
        self.check(86, 1024, 32, 0, 2 / 3)  # one block of 1024 in 1536
        self.check(120, 64, 16, 0, 1)  # 24 blocks of two warps
        self.check(86, 64, 16, 0, 2 / 3)  # 16 of them

    def test_registers(self):
        # 16384 of a scheduler by 128 * 32: 4 warps each.
        self.check(80, 256, 128, 0, 0.25)
        # 38 are 40: 12 warps of each scheduler, one block of 32 warps.
        self.check(80, 1024, 38, 0, 0.5)
        self.check(80, 256, 40, 0, 0.75)
        self.check(89, 256, 40, 0, 1)
        self.check(90, 256, 255, 0, 0.125)
        self.check(80, 1024, 128, 0, 0)  # does not fit

    def test_shared_memory(self):
        self.check(75, 256, 32, 32768, 0.5)  # two blocks of 32 KiB in 64
        self.check(80, 256, 32, 32768, 4 / 8)  # 33 KiB each with the system's, of 164
        self.check(86, 256, 32, 32768, 3 / 6)
        self.check(90, 256, 32, 32768, 6 / 8)


class Names(unittest.TestCase):
    def test_template(self):
        demangled = "void tandem::cuda::(anonymous namespace)::dot<float, (tandem::Use)1>(float const*, tandem::A<int>)"
        self.assertEqual(k.function_of(demangled), "tandem::cuda::dot<float, (tandem::Use)1>")
        self.assertEqual(k.shown(k.function_of(demangled)), "dot<float, (Use)1>")

    def test_plain(self):
        self.assertEqual(k.function_of("tandem::cuda::add(double*, long)"), "tandem::cuda::add")

    def test_of_a_library(self):
        demangled = "void cub::detail::run<tandem::Policy, int>(int, tandem::Op)"
        self.assertTrue(k.function_of(demangled).startswith("cub::"))


class Check(unittest.TestCase):
    def setUp(self):
        self.kernels = {
            ("a.cu", "one"): k.Kernel({a: k.Usage(registers=30 + a, threads=256) for a in k.ARCHITECTURES}),
            ("a.cu", "two<float, 3>"): k.Kernel({a: k.Usage(registers=40) for a in k.ARCHITECTURES}),
        }
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.document = pathlib.Path(folder.name) / "kernels.md"
        self.write()

    def write(self):
        table = k.generate(self.kernels, set())
        self.document.write_text(f"text\n{k.BEGIN}\n{table}\n{k.END}\nmore\n", encoding="utf-8")

    def wrong(self):
        return k.check(self.kernels, k.read_table(self.document))

    def test_what_was_written_is_right(self):
        self.assertEqual(self.wrong(), [])

    def test_fewer_registers_and_fewer_architectures_are_right(self):
        self.kernels["a.cu", "one"] = k.Kernel({80: k.Usage(registers=100)})
        self.assertEqual(self.wrong(), [])

    def test_more_registers(self):
        self.kernels["a.cu", "one"].usage[86].registers += 1
        self.assertEqual(self.wrong(), ["a.cu: one (sm_86): 117 registers, 116 in the table"])

    def test_stack(self):
        usage = self.kernels["a.cu", "one"].usage[90]
        usage.stack = usage.arrays = 8
        self.assertEqual(self.wrong(), ["a.cu: one (sm_90): 8 bytes of stack, 0 in the table"])
        self.write()
        self.assertEqual(self.wrong(), [])
        usage.stack = 24
        self.write()
        self.assertEqual(self.wrong(), ["a.cu: one (sm_90): 16 bytes of registers are spilled"])
        self.assertIn("stack 24 spilled", self.document.read_text(encoding="utf-8"))

    def test_new_and_gone(self):
        self.kernels["b.cu", "one"] = self.kernels.pop(("a.cu", "one"))
        self.assertEqual(
            self.wrong(),
            ["b.cu: one: is not in the table", "a.cu: one: is in the table and not in the library"],
        )

    def test_no_markers(self):
        self.document.write_text("text")
        with self.assertRaises(k.FormatError):
            k.read_table(self.document)


class Damaged(unittest.TestCase):
    def test_no_elf(self):
        for data in (b"", b"text", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + bytes(40)):
            with self.assertRaises(k.FormatError):
                k.sections_of(data)

    def test_attributes_that_end_early(self):
        self.assertEqual(list(k.attributes_of(b"\x04\x2f\x08")), [])
        self.assertEqual(list(k.attributes_of(b"\x03\x1b\xff\x00")), [])


if __name__ == "__main__":
    unittest.main()
