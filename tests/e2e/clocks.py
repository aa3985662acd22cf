"""Lets a test set a worker's clocks, and make its disk hang."""

import pathlib
import struct
import subprocess

from worker import SANITIZERS

SOURCE = pathlib.Path(__file__).with_suffix(".c")


class Clocks:
    """The clocks and disks of the workers that are started with SETTINGS."""

    def __init__(self, folder):
        library = folder / "clocks.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._file = folder / "clocks"
        self._file.write_bytes(bytes(32))
        self.settings = {
            "LD_PRELOAD": library,
            "TEST_CLOCKS": self._file,
            # The sanitizer complains about libraries that are loaded before it, as this one is.
            "ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0",
        }

    def step(self, wall=0, monotonic=0, disk_hangs=False, output_hangs=False):
        """Sets the clocks ahead by so many seconds. OUTPUT_HANGS: the disk of standard output and standard error
        hangs."""
        with open(self._file, "r+b") as file:
            file.write(struct.pack("=qqqq", wall, monotonic, disk_hangs, output_hangs))
