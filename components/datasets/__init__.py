"""Data sets: real ones, one's own, and a synthetic world whose truth is known."""

from components.datasets.dataset import Dataset, LoadReport
from components.datasets.errors import DataError
from components.datasets.events import EventLog
from components.datasets.leaks import LeakError, assert_features_ignore_the_future, assert_no_leak
from components.datasets.load import load, load_world
from components.datasets.schema import Action, Interaction, Relation
from components.datasets.splits import Period, Split, split_at, split_by_time
from components.datasets.table import Table
from components.datasets.truth import Truth
from components.datasets.world import SIZES, World, WorldSize, generate

__all__ = [
    "SIZES",
    "Action",
    "DataError",
    "Dataset",
    "EventLog",
    "Interaction",
    "LeakError",
    "LoadReport",
    "Period",
    "Relation",
    "Split",
    "Table",
    "Truth",
    "World",
    "WorldSize",
    "assert_features_ignore_the_future",
    "assert_no_leak",
    "generate",
    "load",
    "load_world",
    "split_at",
    "split_by_time",
]
