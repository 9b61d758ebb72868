from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest

from components.datasets import generate
from components.stores.from_dataset import stores_of
from components.stores.impressions import ImpressionStore
from components.stores.requests import Lookup, PeopleRequest, RequestBuilder, people_lookups
from components.stores.types import Viewer
from mixer import Request

STORES = stores_of(generate("tiny", seed=2).dataset)
VIEWER = Viewer(int(STORES.users.ids[0]), 5, request=Request(now_ms=STORES.now_ms))


def builder(**replaced):
    lookups = [
        attrs.evolve(one, ask=replaced.get(one.name, one.ask))
        for one in people_lookups(STORES, ImpressionStore())
    ]
    return RequestBuilder(STORES, lookups, within_s=0.01)


def fails(row, viewer):
    raise ConnectionError("away")


async def hangs(row, viewer):
    await anyio.sleep_forever()


async def test_everything_is_looked_up_and_what_was_given_stays():
    given = PeopleRequest(**{**attrs.asdict(VIEWER, recurse=False), "excluded": frozenset({7})})
    request = await builder().build(given)
    assert (request.user_id, request.limit, request.excluded) == (VIEWER.user_id, 5, {7})
    assert request.followed.tolist() == STORES.follows.of(0).tolist() == request.history.follows.tolist()
    assert request.shown.tolist() == []


@pytest.mark.parametrize("broken", [fails, hangs])
@pytest.mark.parametrize("name", [one.name for one in people_lookups(STORES, ImpressionStore())])
async def test_what_cannot_be_looked_up_is_unknown_and_the_rest_is_known(name, broken):
    request = await builder(**{name: broken}).build(VIEWER)
    unknown = {
        field
        for field in ("followed", "dismissed", "avoided", "avoiding", "shown")
        if getattr(request, field) is None
    }
    assert unknown == {name}


async def test_lookups_wait_side_by_side():
    together, here = anyio.Event(), []

    async def meets(row, viewer):
        here.append(1)
        if len(here) == 3:
            together.set()
        await together.wait()
        return np.zeros(0, dtype=np.int32)

    lookups = [Lookup(name, meets, "") for name in ("followed", "dismissed", "avoided")]
    with anyio.fail_after(5.0):
        request = await RequestBuilder(STORES, lookups, within_s=4.0).build(VIEWER)
    assert request.avoided is not None


async def test_nobody_is_known_about_a_stranger():
    request = await builder().build(attrs.evolve(VIEWER, user_id=10**12))
    assert request.history.row == -1
    assert not len(request.followed)
    assert not len(request.avoiding)
