"""What several rooms' tests need: a real file system of a few kilobytes, to see what a full one does."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def disk(tmp_path):
    """Mount small disks: `disk("64k")` is a folder with so much room, `disk("1m", "ro")` one that can only be read."""
    mounted = []

    def mount(size, *options):
        at = tmp_path / f"disk{len(mounted)}"
        at.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(at)]
        if (
            os.geteuid() != 0
            or not shutil.which("mount")
            or subprocess.run(words, check=False, capture_output=True).returncode
        ):
            pytest.skip("mounting a disk needs root")
        mounted.append(at)
        return at

    yield mount
    for at in mounted:
        subprocess.run(["umount", str(at)], check=True)  # noqa: S607
