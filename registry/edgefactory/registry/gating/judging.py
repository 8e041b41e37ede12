"""Each rule of a policy to what judges it. Pure."""

from collections.abc import Iterator

from edgefactory.registry.gating.case import Case
from edgefactory.registry.gating.champion import judge_champion
from edgefactory.registry.gating.figures import judge_budget, judge_figure, judge_parity
from edgefactory.registry.gating.paperwork import (
    judge_approvals,
    judge_freshness,
    judge_licences,
)
from edgefactory.registry.gating.replay import judge_replay
from edgefactory.registry.gating.verdict import Finding
from edgefactory.registry.policy import (
    Approvals,
    AtLeast,
    AtMost,
    Budget,
    Champion,
    Freshness,
    Licences,
    NonInferiority,
    Parity,
    Replay,
    Rule,
)


def judge(rule: Rule, case: Case) -> Iterator[Finding]:  # noqa: PLR0911 - one a kind of rule
    """What `rule` finds: at least one finding, and a failed one wherever something is missing."""
    match rule:
        case AtLeast() | AtMost() | NonInferiority():
            return judge_figure(rule, case)
        case Budget():
            return judge_budget(rule, case)
        case Parity():
            return judge_parity(rule, case)
        case Champion():
            return judge_champion(rule, case)
        case Licences():
            return judge_licences(rule, case)
        case Freshness():
            return judge_freshness(rule, case)
        case Approvals():
            return judge_approvals(rule, case)
        case Replay():
            return judge_replay(rule, case)
