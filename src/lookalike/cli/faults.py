"""All that is wrong with a command, told at once.

In: faults, each with its mend. Out: the one error that lists them. Never: judges.
"""

from collections.abc import Iterable

from lookalike.settings import ConfigError


class RefusedError(ConfigError):
    """Settings that cannot be used, and every reason why."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("These settings cannot be used:" + "".join(f"\n  {fault}" for fault in self.faults))


def faults_of(wrong: ConfigError) -> tuple[str, ...]:
    """What an error lists; of one that lists nothing, what it says."""
    return wrong.faults if isinstance(wrong, RefusedError) else (str(wrong),)
