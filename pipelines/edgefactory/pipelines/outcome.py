"""What a command came to: one line for people, figures for machines."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """A command's result.

    `line` is what a person reads; `figures` is what `--json` prints (JSON values only);
    `exit_code` is not 0 where a command answers a question with "no" and has said so already.
    """

    line: str
    figures: Mapping[str, object] = field(default_factory=dict)
    exit_code: int = 0
