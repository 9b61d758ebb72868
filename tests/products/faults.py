"""Ways to fail, viewers to ask for, and worlds with other graphs."""

from __future__ import annotations

import anyio
import attrs

from components.stores.graph import Graph
from components.stores.types import Viewer
from mixer import DebugOptions, Request

USERS = (3, 50, 121)


def fails(*arguments):
    raise ConnectionError("the store is away")


async def hangs(*arguments):
    await anyio.sleep_forever()


def viewer_of(stores, user, **fields):
    request = Request(id="fault", now_ms=stores.now_ms, debug=DebugOptions(skip_side_effects=True))
    return Viewer(user, request=attrs.evolve(request, **fields))


def with_graph(stores, kind, source, end):
    shape = (len(stores.users), len(stores.users))
    return attrs.evolve(stores, graphs={**stores.graphs, kind: Graph.build(source, end, shape=shape)})
