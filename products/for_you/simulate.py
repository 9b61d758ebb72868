"""Live through simulated days with For You, and compare it with something simpler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import attrs

from components.datasets import SIZES, load_world
from components.evaluation import Report, plot_segments
from components.rankers.light import LogisticRanker
from components.simulation.compare import ab_test, interleave
from components.simulation.simulation import Recommender, Simulation
from components.sources.baselines import NewestPosts, RandomPosts
from components.stores.from_dataset import stores_of
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import DebugOptions, Request
from mixer.params import Params
from mixer.rankers import KeepOrder
from products._cli.data import Bars
from products._cli.serve import console_of, resolved_params
from products.for_you import params
from products.for_you.evaluation import OneSource
from products.for_you.flow import ForYou
from products.for_you.training import INPUTS, Training, train

Make = Callable[[Stores, ImpressionStore], ForYou]
RIVALS = ("popular", "in_network", "newest", "random")
DESIGNS = {"ab": ab_test, "interleaving": interleave}


@attrs.frozen(kw_only=True)
class SimulateOptions:
    """What was asked for."""

    against: str
    design: str
    days: int
    world: str
    seed: int
    as_json: bool
    plots: Path | None

    def check(self) -> None:
        """Raise ValueError for the first option that makes no sense."""
        for option, value, known in (
            ("--against", self.against, RIVALS),
            ("--design", self.design, tuple(DESIGNS)),
            ("--world", self.world, tuple(SIZES)),
        ):
            if value not in known:
                raise ValueError(f"{option}: expected one of {', '.join(known)}, got {value!r}")
        if self.days < 1:
            raise ValueError(f"--days: expected 1 or more, got {self.days}")
        if self.seed < 0:
            raise ValueError(f"--seed: expected 0 or more, got {self.seed}")


class Daily:
    """A recommender whose stores are made anew every day out of all that has happened.

    Args:
        simulation: whose days pass.
        make: the flow over a day's stores and what was shown.
        settings: parameters of every request.
    """

    def __init__(self, simulation: Simulation, make: Make, settings: Params) -> None:
        self.simulation, self.make, self.settings = simulation, make, settings
        self.impressions = ImpressionStore()
        self._day, self._flow = -1, None

    async def __call__(self, viewer_id: int, now_ms: int, seed: int) -> Sequence[int]:
        if self._flow is None or self._day != len(self.simulation.days):
            self._day = len(self.simulation.days)
            # Posts appear when the world says: all of them are there, and the flow sees none before its time.
            known = self.simulation.dataset()
            tables = {**known.tables, "posts": self.simulation.world.dataset.posts}
            stores = stores_of(attrs.evolve(known, tables=tables, checked=True))
            self._flow = self.make(stores, self.impressions)
        debug = DebugOptions(ignore_load=True)
        request = Request(id="simulated", now_ms=now_ms, seed=seed, params=self.settings, debug=debug)
        return (await self._flow.process(Viewer(viewer_id, request=request))).candidates.ids.tolist()


def simulate(options: SimulateOptions) -> None:
    """Compare For You with a rival over simulated days, and print a report.

    Raises:
        ValueError: with what was expected and what came.
    """
    options.check()
    report = anyio.run(compared, options, Bars())
    if options.plots is not None:
        options.plots.mkdir(parents=True, exist_ok=True)
        daily = attrs.evolve(report, rows=[row for row in report.rows if row.segment != "all"])
        metric = "engagements" if options.design == "ab" else "credit"
        plot_segments(daily, metric, options.plots / "days.png")
    if options.as_json:
        print(report.to_json())  # noqa: T201
    else:
        overall = attrs.evolve(report, rows=[row for row in report.rows if row.segment == "all"])
        console_of().print(overall.to_text())


async def compared(options: SimulateOptions, bars: Bars) -> Report:
    """The report of one comparison; the rival is the control."""
    simulation = Simulation(load_world(options.world, options.seed), seed=options.seed)
    past = simulation.dataset()
    settings = resolved_params(params, past.name)
    track = bars.track("training the ranker")
    model = await train(stores_of(past), settings, Training(seed=options.seed), track)

    def ours(stores: Stores, impressions: ImpressionStore) -> ForYou:
        return ForYou(stores, LogisticRanker(model, INPUTS, Post.score), impressions)

    def theirs(stores: Stores, impressions: ImpressionStore) -> ForYou:
        return _rival(options.against, stores, impressions)

    arms: dict[str, Recommender] = {
        options.against: Daily(simulation, theirs, settings),
        "for_you": Daily(simulation, ours, settings),
    }
    with bars.step("simulated days", options.days) as advance:
        return await DESIGNS[options.design](simulation, arms, options.days, done=lambda *_: advance())


def _rival(name: str, stores: Stores, impressions: ImpressionStore) -> ForYou:
    if name in ("newest", "random"):
        kind = NewestPosts if name == "newest" else RandomPosts
        return OneSource(stores, kind(stores, 300, params.MAX_AGE_H), impressions)
    plain = ForYou(stores, KeepOrder())
    source = next(one for one in plain.sources.all() if one.name == name)
    return OneSource(stores, source, impressions)
