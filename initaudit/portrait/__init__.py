"""Show a built model to people: tables of parameters and of signal through depth, and an HTML page.

Reads observations and findings; knows neither how a model was observed nor what a rule means.
"""

from __future__ import annotations

from collections.abc import Iterable

from initaudit.finding import Observer, bounded
from initaudit.observation import Observation


def built(observations: Iterable[Observation]) -> list[Observation]:
    """Return the observations of the probe, one per model, with long texts cut."""
    return [bounded(observation) for observation in observations if observation.observer is Observer.PROBE]
