"""The image that serves: the packages that pyproject.toml names for it suffice, and the lock has every one of them."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVES = """
import sys
from importlib import metadata
from packaging.requirements import Requirement

def closure(names, seen):
    for name in names:
        if name in seen: continue
        seen.add(name)
        needs = [Requirement(one) for one in metadata.requires(name) or []]
        wanted = [one for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
        closure([one.name.lower().replace("_", "-") for one in wanted], seen)
    return seen

there = closure(sys.argv[1:], set())
of = metadata.packages_distributions()
allowed = {top for top, owners in of.items() if there & {one.lower().replace("_", "-") for one in owners}} | {"lookalike"}

class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in of.keys() - allowed: raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Bare())
import lookalike.cli.serve, lookalike.cli.overrides, uvicorn, uvicorn.protocols.http.h11_impl, hydra.main, multipart
print(" ".join(sorted(there)))
"""


def group():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["serve"]


def test_a_server_needs_no_package_but_those_of_its_image_and_the_lock_has_them():
    words = [sys.executable, "-c", SERVES, *group()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    locked = {
        line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line[:80]
    }
    assert set(done.stdout.split()) - locked == set()
    assert "torch" not in done.stdout.split()
