"""A worker's clocks, and its disk, in the hands of a test."""

import pathlib
import struct
import subprocess

from worker import SANITIZERS

SOURCE = pathlib.Path(__file__).with_suffix(".c")


class Clocks:
    """Those of workers that are started with SETTINGS."""

    def __init__(self, folder):
        library = folder / "clocks.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._file = folder / "clocks"
        self._file.write_bytes(bytes(32))
        self.settings = {
            "LD_PRELOAD": library,
            "TEST_CLOCKS": self._file,
            # It is loaded before the sanitizer, which does not like that.
            "ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0",
        }

    def step(self, wall=0, monotonic=0, disk_hangs=False, output_hangs=False):
        """Has them be ahead by so many seconds. OUTPUT_HANGS: the disk of its standard output and standard error does."""
        with open(self._file, "r+b") as file:
            file.write(struct.pack("=qqqq", wall, monotonic, disk_hangs, output_hangs))
