"""Test your stages: strategies that make batches, laws that every stage has to keep, doubles that misbehave.

::

    from mixer.testing import batches, check_laws


    def test_max_age_keeps_the_laws_of_predicates():
        check_laws(MaxAge(), target=viewer, batches=batches(Post))

Needs the ``testing`` extra (hypothesis). A failure names the law, the component and the smallest batch that breaks
it; hypothesis prints how to run the same example again.
"""

from importlib.util import find_spec

from mixer.errors import MissingExtraError

if find_spec("hypothesis") is None:
    raise MissingExtraError("mixer.testing", "testing")

from mixer.testing.clock import FakeClock
from mixer.testing.conservation import check_conservation
from mixer.testing.doubles import failing, hanging, recording, slow
from mixer.testing.flows import Parts, PartsFlow, flow_parts, naive_answer
from mixer.testing.laws import LawError, check_algebra, check_laws, laws_of
from mixer.testing.profiles import register_profiles
from mixer.testing.strategies import batches, requests, row_predicates

__all__ = [
    "FakeClock",
    "LawError",
    "Parts",
    "PartsFlow",
    "batches",
    "check_algebra",
    "check_conservation",
    "check_laws",
    "failing",
    "flow_parts",
    "hanging",
    "laws_of",
    "naive_answer",
    "recording",
    "register_profiles",
    "requests",
    "row_predicates",
    "slow",
]
