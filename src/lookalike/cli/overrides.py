"""Lets unknown overrides through Hydra to the door, so that all faults of a command line are told together, with a mend.

In: the words after the verb. Out: the same words, an unknown `key=value` made `++key=value`, which Hydra adds without a question.
Never: judges a value.
"""

from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from lookalike.cli.door import knows


def let_the_door_judge(kind: type, words: list[str], configs: Path) -> list[str]:
    """Mark what neither Hydra's groups nor the settings know as an addition; Hydra alone would stop at the first."""
    return [_let_through(kind, word, configs) for word in words]


def _let_through(kind: type, word: str, configs: Path) -> str:
    if word.startswith(("-", "+", "~", "hydra")) or "=" not in word:
        return word
    try:
        override = OverridesParser.create().parse_override(word)
    except OverrideParseException:
        return word  # Hydra's own message shows where the syntax breaks
    key = override.key_or_group
    if (configs / key.partition("@")[0]).is_dir() or knows(kind, key):
        return _may_add(kind, word, key)
    return f"++{word}"


def _may_add(kind: type, word: str, key: str) -> str:
    """An option that its YAML does not list (`loss.margins=1`) is added, for the door to name."""
    return f"++{word}" if "." in key and knows(kind, key) else word
