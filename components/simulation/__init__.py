"""Closed loops over the synthetic world: simulated people, A/B tests and interleaving."""

from components.simulation.behaviour import Behaviour, Change, Fatigue, Visits
from components.simulation.compare import ab_test, interleave
from components.simulation.day import Sessions, SimulatedDay
from components.simulation.interleaving import team_draft
from components.simulation.people import People, Reaction, Slates
from components.simulation.recommenders import baselines
from components.simulation.simulation import Recommender, Serve, Simulation

__all__ = [
    "Behaviour",
    "Change",
    "Fatigue",
    "People",
    "Reaction",
    "Recommender",
    "Serve",
    "Sessions",
    "SimulatedDay",
    "Simulation",
    "Slates",
    "Visits",
    "ab_test",
    "baselines",
    "interleave",
    "team_draft",
]
