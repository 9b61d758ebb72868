"""Answer one request from the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
from rich.console import Console

from components.stores.types import Viewer
from mixer import DebugOptions, RecommendationResult, Request
from mixer.param_registry import ParamRegistry
from mixer.params import Origin, Param, Params
from mixer.product import Product
from products._cli.answer import Row, as_json, show
from products._cli.application import Application, Workshop
from products._cli.data import Bars, Loaded, chosen_user
from products._cli.options import TOP, Options
from products._cli.stage_table import stage_table


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
    application.check(options.choices)
    bars, console = Bars(), console_of()
    loaded = application.open(options.data, options.world, options.seed, bars)
    params = resolved_params(application.settings, loaded.data.name, options.params)
    viewer = application.viewer(loaded, _viewer(application.name, options, loaded, params))
    flow = await application.flow(Workshop(loaded, loaded, params, options.choices, bars))
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
    user = chosen_user(loaded.stores, options.user)
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
