"""Who is tried next: near what is known to be good, by Optuna's model, or anywhere. Pure.

A search of some twenty runs cannot afford to learn a space from nothing. So it begins with the
starting recipe's own settings on architectures that lie far apart, and then mixes nudges of the
best candidates, Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Falkner et al.
2018, BOHB, for many variables at once) over all results, and points from anywhere. That a prior
and the best so far carry a short search is PriorBand's finding (Mallik et al. 2023).

A proposal depends on its generator and the results so far alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import create_trial

from edgefactory.training.tuning.ladder import Climb, latest
from edgefactory.training.tuning.space import Point, Space

_NUDGED: Final = 0.6  # of the proposals start from one of the best
_MODELLED: Final = 0.25  # are the model's; the rest is from anywhere
_ENOUGH: Final = 8  # results, before the model is asked
_BEST: Final = 0.2  # of the candidates are the best, and two at least
_MOVED: Final = 3.0  # keys that a nudge moves on average
_STEP: Final = 0.2  # deviation of a nudge, where 1 is a key's whole range


def proposal(space: Space, climbs: Sequence[Climb], chance: np.random.Generator) -> Point:
    """A point for a new candidate, which may be over the budget."""
    stands = [climb for climb in latest(climbs).values() if climb.value is not None]
    wanted = chance.random()
    if stands and wanted < _NUDGED:
        return _nudged(space, stands, chance)
    if len(stands) >= _ENOUGH and wanted < _NUDGED + _MODELLED:
        return _modelled(space, list(latest(climbs).values()), chance)
    return {key: float(chance.random()) for key in space.dimensions}


def _nudged(space: Space, stands: Sequence[Climb], chance: np.random.Generator) -> Point:
    """One of the best candidates, with some keys moved."""
    ranked = sorted(stands, key=lambda climb: -(climb.value or 0.0))
    best = ranked[: max(2, round(_BEST * len(ranked)))]
    point = space.point(best[int(chance.integers(len(best)))].values)
    moved = chance.random(len(point)) < _MOVED / len(point)
    moved[chance.integers(len(point))] = True
    for key, moves in zip(point, moved, strict=True):
        if moves:
            point[key] = _reflected(point[key] + float(chance.normal(0.0, _STEP)))
    return point


def _modelled(space: Space, climbs: Sequence[Climb], chance: np.random.Generator) -> Point:
    seed = int(chance.integers(2**31))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    axes: dict[str, BaseDistribution] = {
        key: FloatDistribution(0.0, 1.0) for key in space.dimensions
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(multivariate=True, n_startup_trials=0, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for climb in climbs:
        point = space.point(climb.values)
        value = climb.value if climb.value is not None else 0.0  # a failure is the worst
        study.add_trial(create_trial(params=point, distributions=axes, value=value))
    asked = study.ask(axes)
    return {key: float(asked.params[key]) for key in axes}


def _reflected(place: float) -> float:
    """Back into 0..1, as from a mirror at either end."""
    folded = abs(place) % 2.0
    return 2.0 - folded if folded > 1.0 else folded
