"""When silence is believed: as soon as the loss that the sweep itself has measured leaves no room for an answer.

A port that would answer stays silent through one round with the probability of that round's loss, through all of them
with the product. Loss is measured on ports that are known to answer (capture and recapture): each attempt at one of
them was answered or not, in the first rounds, where only a later answer told that it should have been, and in the later
ones, in which some of them are asked again on purpose. A round's loss is estimated as (1 + missed) / (50 + asked): a
Beta(1, 49) prior, which assumes 2 % where nothing is known. So where nobody answers at all, four rounds are believed,
and the stated residual rests on that assumption alone.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RESIDUAL = 1e-6
"""Aim: the probability, per silent port, that it would have answered."""
# And how many ports of one sweep may be wrong on average, when many answer.
_WRONG_PORTS = 1e-3
_PRIOR_MISSED, _PRIOR_ASKED = 1, 50


class Round:
    """Attempts of one round at ports that are known to answer, by now."""

    __slots__ = ("hits", "misses")

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0

    @property
    def loss(self) -> float:
        """Of an attempt or its answer, 0..1, never quite either."""
        return (_PRIOR_MISSED + self.misses) / (_PRIOR_ASKED + self.hits + self.misses)


def summed(rounds: Iterable[Round]) -> Round:
    """As if they had been one."""
    whole = Round()
    for each in rounds:
        whole.hits += each.hits
        whole.misses += each.misses
    return whole


def residual(rounds: list[Round]) -> float:
    """The probability that a port which answers was silent in all of these rounds."""
    product = 1.0
    for each in rounds:
        product *= each.loss
    return product


def believed(rounds: list[Round], known: int) -> bool:
    """Whether what was silent in all of these rounds may be called silent, with so many ports known to answer."""
    left = residual(rounds)
    return left < RESIDUAL and left * known < _WRONG_PORTS


def loss(rounds: list[Round]) -> float:
    """Over all rounds, as observed; 0 where nothing is known."""
    whole = summed(rounds)
    asked = whole.hits + whole.misses
    return whole.misses / asked if asked else 0.0


def chance(misses: int, attempts: int, loss: float) -> float:
    """That an honest port misses so many of its attempts, or more."""
    return sum(comb(attempts, n) * loss**n * (1 - loss) ** (attempts - n) for n in range(misses, attempts + 1))
