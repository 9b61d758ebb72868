"""Answer one request from the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import attrs
from rich.console import Console
from rich.table import Table

from components.models.logistic import LogisticModel
from components.stores.stores import Stores
from components.stores.types import Viewer
from mixer import DebugOptions, RecommendationFlow, RecommendationResult, Request
from mixer.param_registry import ParamRegistry
from mixer.params import Origin, Param, Params
from mixer.product import Product
from products._cli.answer import Row, as_json, show
from products._cli.data import Bars, Loaded, Track, default_user, open_data, report, require, trained
from products._cli.options import TOP, Options
from products._cli.stage_table import stage_table
from products._offline.trial import Offline


@attrs.frozen
class Application:
    """What the command line has to know about a product.

    Args:
        name: of the product and its flow.
        needs: tables of which at least one must have rows.
        settings: the module that declares parameters, with ``PRESETS`` by name of a data set.
        train: ``(stores, params, seed, track)`` to a model.
        flow: ``(stores, model)`` to the flow.
        page: how an answer looks.
        offline: how it is judged.
    """

    name: str
    needs: tuple[str, ...]
    settings: ModuleType
    train: Callable[[Stores, Params, int, Track], Awaitable[LogisticModel]]
    flow: Callable[[Stores, LogisticModel], RecommendationFlow[Viewer, Any]]
    page: Page
    offline: Offline


@attrs.frozen
class Page:
    """How the answers of a product look.

    Args:
        rows: ``(loaded, result)`` to a JSON object a candidate.
        table: ``(user, rows)`` to a table for people.
        version: what the ranker depends on besides the data.
    """

    rows: Callable[[Loaded, RecommendationResult[Any]], list[Row]]
    table: Callable[[int, Sequence[Row]], Table]
    version: tuple[object, ...]


def serve(application: Application, options: Options) -> None:
    """Answer one request and print it.

    Raises:
        MixerError, ValueError: with what was expected and what came.
    """
    anyio.run(_serve, application, options)


def console_of() -> Console:
    """Standard output; wide enough for a row a line where nobody says how wide it is."""
    width = 120 if not sys.stdout.isatty() and "COLUMNS" not in os.environ else None
    return Console(width=width, markup=False, emoji=False, highlight=False)  # texts are users' words


async def _serve(application: Application, options: Options) -> None:
    options.check()
    bars, console = Bars(), console_of()
    loaded = open_data(options.data, options.world, options.seed, bars)
    require(loaded.data, application.name, *application.needs)
    report(loaded.data, bars.console)
    params = resolved_params(application.settings, loaded.data.name, options.params)
    viewer = _viewer(application.name, options, loaded, params)

    def train() -> Awaitable[LogisticModel]:
        return application.train(loaded.stores, params, options.seed, bars.track("training the ranker"))

    depends_on = (*application.page.version, options.seed, values_of(params))
    flow = application.flow(loaded.stores, await trained(application.name, depends_on, loaded.stores, train))
    if options.stages:
        print(stage_table(flow))  # noqa: T201 - for a file, so without wrapping
        return
    # No gate and one flow: being a product checks that no two of its components share a name.
    result: RecommendationResult[Any] = (await Product(application.name, (flow,)).process(viewer)).answer
    answer = as_json(
        application.name, viewer.user_id, options.seed, result, application.page.rows(loaded, result)
    )
    story = None if options.explain is None else _story(result, options.explain, answer)
    if options.as_json:
        print(json.dumps(answer, ensure_ascii=False, indent=2, allow_nan=False))  # noqa: T201
    else:
        show(console, answer, application.page.table(viewer.user_id, answer["candidates"]), story)


def _viewer(product: str, options: Options, loaded: Loaded, params: Params) -> Viewer:
    users = loaded.stores.users
    user = default_user(loaded.stores) if options.user is None else options.user
    if users.row_of(user) < 0:
        example = default_user(loaded.stores)
        raise ValueError(f"--user: expected one of the {len(users):,} users, such as {example}, got {user}")
    request = Request(
        id=f"{product}-{user}-{options.seed}",
        now_ms=loaded.stores.now_ms,
        seed=options.seed,
        params=params,
        debug=DebugOptions(trace=options.explain is not None),
    )
    return Viewer(user, options.limit, request=request)


def _story(result: RecommendationResult[Any], asked_about: str, answer: Row) -> str | None:
    shown = answer["candidates"]
    if not result.trace.steps or (asked_about == TOP and not shown):
        return None
    story = result.trace.story(shown[0]["id"] if asked_about == TOP else int(asked_about))
    answer["explanation"] = story.to_json()
    return story.in_words()


def resolved_params(settings: ModuleType, data: str, file: Path | None = None) -> Params:
    """Parameters from the environment, then from a file, then what suits the data set, then defaults.

    Raises:
        ParamError: the environment or the file sets something unknown or impossible.
    """
    resolver = ParamRegistry.collect(settings).resolver(file=file)
    given = resolver.resolve().explain()
    presets: Mapping[Param[Any], object] = getattr(settings, "PRESETS", {}).get(data, {})
    free = {key: value for key, value in presets.items() if given[key.name].origin is Origin.DEFAULT}
    return resolver.resolve(forced=free) if free else resolver.resolve()


def values_of(params: Params) -> list[tuple[str, object]]:
    """All parameters by name, for what depends on them."""
    return [(name, setting.value) for name, setting in params.explain().items()]
