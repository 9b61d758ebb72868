"""Data sets: real ones, and a synthetic world whose truth is known."""

from components.datasets.errors import DataError
from components.datasets.load import load, load_world
from components.datasets.schema import Action, Dataset, Interaction, LoadReport, Relation
from components.datasets.table import Table
from components.datasets.truth import Truth
from components.datasets.world import SIZES, World, generate

__all__ = [
    "SIZES",
    "Action",
    "DataError",
    "Dataset",
    "Interaction",
    "LoadReport",
    "Relation",
    "Table",
    "Truth",
    "World",
    "generate",
    "load",
    "load_world",
]
