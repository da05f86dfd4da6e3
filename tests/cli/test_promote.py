"""`lookalike promote` and `rollback`, as somebody uses them who ships releases: what is moved, what is refused, what is said."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from lookalike import files
from lookalike.release import bundle, registry

PROTOCOL = {"match": "product", "left_out": "picture", "split_rule": "auto", "split": "test"}
GOOD, BETTER, WORSE = 0.8, 0.95, 0.5  # shares of 400 queries that are found


def asked(share):
    """400 queries of 200 products, of which a share is found: those that an even worse release finds, and some more."""
    found = (np.random.default_rng(0).permutation(400) < 400 * share) * 1.0
    names = {"image": [f"{number:03}" for number in range(400)], "product": [f"{n // 2:03}" for n in range(400)]}
    slices = {"style": [""] * 400, "brand": ["Acme", "Bolt"] * 200, "category": ["boots"] * 400}
    return pl.DataFrame({**names, **slices, "recall@1": found, "map@r": found})


def metrics(table, cost):
    value = table["recall@1"].mean()
    test = {name: {"value": value, "ci95": [value - 0.04, value + 0.04]} for name in ("recall@1", "map@r")}
    told = {"milliseconds_per_image": 12.0, "megabytes": 14.0, **cost}
    return {"protocol": PROTOCOL, "test": test, "cost": told, "dataset": "toy@1"}


@pytest.fixture
def make(tmp_path, fill):
    """Makes a whole release: `make(GOOD, name="boots", card="2")` answers NAME/ID. Another card, another id."""

    def made(share, *, name="boots", card="", indexed="shop@1", turned=False, **cost):
        with bundle.draft(tmp_path / "releases", name) as draft:
            fill(draft, card=card, turned=turned, catalog=indexed is not None)
            asked(share).write_parquet(draft / "per_query.parquet")
            files.write_json(draft / "metrics.json", metrics(asked(share), cost))
            facts = {"run": "boots/1", "commit": "abc", "dataset": "toy@1", "serves": "float32", "match": "product"}
            return bundle.publish(draft, tmp_path / "releases", name, {**facts, "indexed": indexed}).label

    return made


@pytest.fixture
def verb(lookalike, tmp_path):
    """The command, in the folder that has the releases."""

    def said(*words, code=0):
        return lookalike(*words, at=tmp_path, code=code)

    return said


@pytest.fixture
def pointed(tmp_path):
    """Champion, previous and candidate as the registry has them now."""

    def told():
        now = json.loads((tmp_path / "releases" / "registry.json").read_text())
        return tuple(now[name] for name in registry.POINTERS)

    return told


def test_a_first_one_a_worse_an_equal_a_better_one_and_back(verb, make, pointed, tmp_path):
    first, worse, equal, better = make(GOOD), make(WORSE), make(GOOD, card="again"), make(BETTER)
    assert "admitted as the first champion" in verb("promote", first)
    assert pointed() == (first, None, None)

    before = (tmp_path / "releases" / "registry.json").read_bytes()
    said = verb("promote", worse, code=1)
    assert "refused: 8 of 14 checks do not hold: recall@1, map@r, brand Acme: recall@1," in said
    assert re.search(r"recall@1 +NO +-0\.300 +-0\.3\d\d to -0\.2\d\d +above -0\.020", said)
    assert re.search(r"brand Acme: map@r +NO +-0\.3\d\d .* not below -0\.050", said)
    assert "Nothing was moved." in said
    assert (tmp_path / "releases" / "registry.json").read_bytes() == before

    assert "admitted as an equal: every query fares as it did" in verb("promote", equal)
    assert pointed() == (equal, first, None)
    assert "admitted: better than the champion in recall@1 and map@r" in verb("promote", better)
    assert pointed() == (better, equal, None)
    assert "it is the champion already" in verb("promote", better, code=1)

    assert f"champion  {equal}" in verb("rollback")
    assert pointed() == (equal, better, None)
    verb("rollback")
    assert pointed() == (better, equal, None)
    log = json.loads((tmp_path / "releases" / "registry.json").read_text())["log"]
    assert [one["what"] for one in log] == ["promote"] * 3 + ["rollback"] * 2
    assert log[2]["figures"]["recall@1"]["figure"] == pytest.approx(BETTER - GOOD)


def test_every_check_stands_in_the_table_with_its_figure_its_bound_and_its_answer(verb, make):
    verb("promote", make(GOOD))
    said = verb("promote", make(WORSE, milliseconds_per_image=300.0, indexed=None, turned=True), code=1)
    for line in (
        "same test +yes +- +- +the champion's",
        "recall@1 +NO +-0.300 +-0.3.. to -0.2.. +above -0.020",
        "milliseconds an image +NO +300.0 +- +at most 200",
        "megabytes +yes +14.0 +- +at most 200",
        "verify +NO +- +- +no fault",
        "index +NO +- +- +of shop",
    ):
        assert re.search(line, said), said
    assert max(len(line) for line in said.splitlines()[:16]) <= 80
    assert "same test: 400 queries of 200 products of toy@1." in said
    assert "recall@1, map@r: this release less the champion, query by query." in said
    assert "float32 gives another vector than it gave" in said
    assert "index: none: a server needs one; lookalike index boots/" in said


def test_the_rule_is_what_the_settings_say(verb, make, pointed):
    verb("promote", make(GOOD))
    worse = make(WORSE)
    assert "rule.epsilon: must be 1 or less" in verb("promote", worse, "rule.epsilon=2", code=2)
    verb("promote", worse, "rule.epsilon=0.5", "rule.delta=0.5")
    assert pointed()[0] == worse


def test_a_candidate_is_named_judged_by_that_name_and_then_no_candidate_more(verb, make, pointed):
    champion, candidate = make(GOOD), make(BETTER, name="bags")
    verb("promote", champion)
    assert f"{candidate} is the candidate" in verb("promote", "bags", "candidate=true")
    assert pointed() == (champion, None, candidate)
    verb("promote", "candidate")
    assert pointed() == (candidate, champion, None)
    assert "candidate=true: which release?" in verb("promote", "candidate=true", code=2)


def test_without_a_release_the_registry_is_shown(verb, make, tmp_path):
    assert "No release is promoted yet" in verb("promote")
    first, second = make(GOOD), make(BETTER, milliseconds_per_image=7.123456)
    verb("promote", first)
    verb("promote", second)
    said = verb("promote")
    champion, previous, candidate = (said.split(name)[1] for name in ("champion\n", "previous\n", "candidate\n"))
    assert champion.split()[:2] == ["release", second]
    assert "  recall@1  0.950 (0.910 to 0.990)\n" in champion
    assert "  ms/image  7.1\n" in champion
    assert "  whole     yes\n" in champion
    assert previous.split()[:2] == ["release", first]
    assert candidate.split()[:2] == ["release", "none"]
    assert re.search(rf"T\d\d:.* promote    {first} -> {second}: admitted: better", said)
    assert re.search(rf"promote    nothing -> {first}: admitted as the first", said)
    (tmp_path / "releases" / first / "card.md").unlink()
    said = verb("promote", code=1)
    assert re.search(rf"previous\n  release  {first}\n  whole    NO: .*card.md is missing", said)


def test_a_damaged_release_is_refused_by_name_as_challenger_as_champion_and_as_previous(verb, make, pointed, tmp_path):
    first, second, third = make(GOOD), make(GOOD, card="2"), make(GOOD, card="3")
    (tmp_path / "releases" / third / "model" / "float32.onnx").write_bytes(b"short")
    assert "model/float32.onnx has 5 bytes" in verb("promote", third, code=3)
    verb("promote", first)
    verb("promote", second)
    shutil.rmtree(tmp_path / "releases" / first)
    said = verb("rollback", code=3)
    assert f"the previous champion {first} cannot take over: releases/{first} is gone; restore that folder" in said
    (tmp_path / "releases" / second / "card.md").write_text("altered")
    said = verb("promote", make(BETTER), code=3)
    assert f"the champion {second} cannot be compared with: releases/{second}: refused: card.md has" in said
    assert "lookalike rollback" in said
    assert pointed() == (second, first, None)


def test_a_release_under_anothers_name_is_not_taken_for_it(verb, make, tmp_path):
    label = make(GOOD)
    shutil.copytree(tmp_path / "releases" / label, tmp_path / "releases" / "bags" / "0123456789ab")
    assert f"its manifest says that it is {label}" in verb("promote", "bags", code=3)


def test_where_there_is_nothing_to_go_back_to_the_mend_is_told(verb, make):
    assert "no such folder; lookalike export RUN" in verb("rollback", code=3)
    verb("promote", make(GOOD))
    assert "there is no previous champion to go back to; promote another" in verb("rollback", code=3)


HOLDER = """
import sys
from pathlib import Path
from lookalike.release import registry
with registry.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_finds_a_promotion_at_work_does_not_roll_back_what_nobody_saw(verb, make, tmp_path, pointed):
    for share in (GOOD, BETTER):
        verb("promote", make(share))
    before, words = pointed(), [sys.executable, "-c", HOLDER, str(tmp_path / "releases")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert "another promotion or rollback is at work there" in verb("rollback", code=3)
        other.stdin.close()
    assert pointed() == before
    verb("rollback")
    assert pointed() != before


def test_offline_wandb_says_that_aliases_need_a_login_and_harms_nothing(verb, make, pointed, nobody):
    nobody.setenv("WANDB_MODE", "offline")
    first, second = make(GOOD), make(BETTER)
    said = verb("promote", first, "tracking=both")
    assert "W&B will not show this release: it is offline, and champion and previous are aliases" in said
    said = verb("promote", second, "tracking=wandb", code=1)
    assert "tracking=wandb: it is offline" in said
    assert pointed() == (first, None, None)


def test_a_promotion_reads_each_file_of_each_release_once(verb, make, monkeypatch):
    first, second = make(GOOD), make(BETTER)
    verb("promote", first)
    read, whole = [], files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: (read.append(str(path)), whole(path))[1])
    verb("promote", second)
    assert sum(second in path for path in read) == sum(first in path for path in read) > 8
    assert len(set(read)) == len(read)


def test_a_promoted_candidate_is_none_any_more_and_another_one_stays(verb, make, pointed):
    first, second = make(GOOD), make(BETTER)
    verb("promote", first, "candidate=true")
    verb("promote", second)
    assert pointed() == (second, None, first)
    verb("promote", second, "candidate=true")
    assert "it is the champion already" in verb("promote", "candidate", code=1)
    third = make(BETTER, card="3")
    verb("promote", third, "candidate=true")
    verb("promote", "candidate")
    assert pointed() == (third, second, None)


def test_what_verify_says_is_no_markup(verb, make, tmp_path):
    label = make(GOOD)
    (tmp_path / "releases" / label / "[red]more.txt").write_text("x")
    assert "[red]more.txt is not in the manifest" in verb("verify", label, code=1).replace("\n", "")
