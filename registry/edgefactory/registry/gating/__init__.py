"""What the gate looks at, and what each kind of rule finds there.

`case` is all that is known; `gathering` reads it; `judging` applies the rules of a policy, of which
`figures`, `champion`, `paperwork` and `replay` hold a kind or some each. All but `gathering` and
`replay` is pure.
"""

from edgefactory.registry.gating.approval import sign_approval
from edgefactory.registry.gating.gathering import Given
from edgefactory.registry.gating.verdict import (
    Finding,
    Verdict,
    read_verdict,
    refuse,
    write_verdict,
)

__all__ = [
    "Finding",
    "Given",
    "Verdict",
    "read_verdict",
    "refuse",
    "sign_approval",
    "write_verdict",
]
