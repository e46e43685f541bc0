"""A built model as people look at it: every parameter and what it holds, signal through depth, one page of it all.

Reads the vocabulary, and findings as `report` knows them; knows neither how a model was observed nor what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

from initaudit.finding import Observer, bounded
from initaudit.observation import Observation


def built(observations: Iterable[Observation]) -> list[Observation]:
    """The observations of the probe, one for each model, with no text in them longer than anybody reads."""
    return [bounded(observation) for observation in observations if observation.observer is Observer.PROBE]
