"""What the documents say is so: commands can be given, files are there, figures are those that were measured."""

import json
import re
import shlex
from pathlib import Path

import pytest

from lookalike.cli.main import VERBS
from lookalike.cli.overrides import ready

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "experiments").rglob("*.md"))]
READ_FROM = {  # a run's own record, and the page that quotes it
    "experiments/2026-11-20-styles/styles.json": ("README.md", "experiments/2026-11-20-styles/README.md"),
    "experiments/2026-11-20-styles/supcon.json": ("experiments/2026-11-20-styles/README.md",),
    "experiments/2026-11-20-styles/closed_whitening.json": ("README.md", "experiments/2026-11-20-styles/README.md"),
    "experiments/2026-11-20-styles/frozen_rgb112.json": ("experiments/2026-11-20-styles/README.md",),
    "experiments/2026-11-20-styles/contrastive.json": ("experiments/2026-11-20-styles/README.md",),
    "experiments/2026-11-20-views/views-outside-inside.json": ("experiments/2026-11-20-views/README.md",),
    "experiments/2026-11-20-views/views-pair-outside.json": ("experiments/2026-11-20-views/README.md",),
    "experiments/2026-11-20-views/views-inside-pair.json": ("experiments/2026-11-20-views/README.md",),
    "experiments/2026-11-20-quickstart/metrics.json": ("experiments/2026-11-20-quickstart/README.md",),
    "experiments/2026-11-20-sneakers/rgb.json": ("experiments/2026-11-20-sneakers/README.md",),
    "experiments/2026-11-20-sneakers/gray.json": ("experiments/2026-11-20-sneakers/README.md",),
}


def commands():
    for page in PAGES:
        for line in page.read_text("utf-8").splitlines():
            yield from re.findall(r"(?:^|`|&& )(lookalike [a-z]+(?: [a-z_.]+=\S+?)+)(?=$|`| )", line)


def test_the_readme_names_every_verb_there_is():
    said = (ROOT / "README.md").read_text("utf-8")
    assert [verb for verb in VERBS if f"lookalike {verb}" not in said] == []


@pytest.mark.parametrize("words", sorted(set(commands())))
def test_every_command_of_the_documents_can_be_given(words):
    _, verb, *overrides = shlex.split(words)
    assert ready(VERBS[verb][0], overrides, ROOT / "configs").faults == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_the_documents_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_code_that_the_readme_quotes_stands_so_in_its_file():
    quoted = re.findall(r"```\w+\n# (\S+/\S+)\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(quoted) == 3
    for file, code in quoted:
        assert code in (ROOT / file).read_text("utf-8"), file


@pytest.mark.parametrize("record", READ_FROM)
def test_the_figures_of_the_documents_are_those_of_the_run(record):
    told = json.loads((ROOT / record).read_text())["test"]["recall@1"]
    quoted = re.compile(rf"\*{{0,2}}{told['value']:.3f}\*{{0,2}} \({told['ci95'][0]:.3f} to {told['ci95'][1]:.3f}\)")
    for page in READ_FROM[record]:
        assert quoted.search((ROOT / page).read_text("utf-8")), page
