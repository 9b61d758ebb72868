"""Show the home timeline from the command line: posts, people and prompts, page after page."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import anyio
import attrs
from rich.console import Console
from rich.table import Table

from components.datasets.files import cache_directory
from components.files import atomic_file
from components.stores.types import Paging, Refresh, Viewer
from components.units import HOUR_MS
from mixer import CursorCodec, Request
from mixer.pipeline import MixerResult
from products._cli.application import Workshop
from products._cli.choices import Choices
from products._cli.data import Bars, Loaded, chosen_user
from products._cli.serve import console_of, resolved_params
from products.follow_recs import params as people_params
from products.follow_recs.product import FOLLOW_RECS
from products.for_you import params
from products.for_you.control import controlled
from products.for_you.flow import ForYou
from products.for_you.home import Home
from products.for_you.product import FOR_YOU

KEY_BYTES = 32
MOST_HOURS = 1_000_000


@attrs.frozen(kw_only=True)
class HomeOptions:
    """What was asked for."""

    data: Path | None
    user: int | None
    limit: int | None
    pages: int
    cursor: str | None
    refresh: Refresh
    pushed: int | None
    ago_h: float
    as_json: bool
    seed: int
    world: str
    choices: Choices

    def check(self) -> None:
        """Raise ValueError for the first option that makes no sense."""
        if self.pages < 1:
            raise ValueError(f"--pages: expected 1 or more, got {self.pages}")
        if self.limit is not None and self.limit < 0:
            raise ValueError(f"--limit: expected 0 or more, got {self.limit}")
        if not 0 <= self.ago_h <= MOST_HOURS:
            raise ValueError(f"--ago: expected 0 to {MOST_HOURS:,} hours, got {self.ago_h}")
        FOR_YOU.check(self.choices)


def refresh_of(name: str) -> Refresh:
    """What a word on the command line means.

    Raises:
        ValueError: with the words that mean something.
    """
    try:
        return Refresh(name)
    except ValueError:
        expected = ", ".join(one.value for one in Refresh)
        raise ValueError(f"--refresh: expected one of {expected}, got {name!r}") from None


def show_home(options: HomeOptions) -> None:
    """Print pages of the home timeline.

    Raises:
        MixerError, ValueError: with what was expected and what came.
    """
    anyio.run(_show_home, options)


async def _show_home(options: HomeOptions) -> None:
    options.check()
    bars, console = Bars(), console_of()
    loaded = FOR_YOU.open(options.data, options.world, options.seed, bars)
    user = chosen_user(loaded.stores, options.user)
    posts = loaded.stores.posts.index
    if options.pushed is not None and posts.row_of(options.pushed) < 0:
        raise ValueError(f"--pushed: expected one of the {len(posts):,} posts, got {options.pushed}")
    settings = resolved_params(params, loaded.data.name, None)
    home = await _home(Workshop(loaded, loaded, settings, options.choices, bars))
    cursor, pages = options.cursor, list[dict[str, Any]]()
    for number in range(options.pages):
        request = Request(
            id=f"home-{user}-{options.seed}",
            now_ms=loaded.stores.now_ms - int(options.ago_h * HOUR_MS),
            seed=options.seed,
            params=settings,
            cursor=cursor,
        )
        asked = Viewer(
            user,
            options.limit,
            paging=Paging(refresh=options.refresh, pushed=options.pushed),
            request=request,
        )
        result = await home.process(controlled(loaded, asked))
        pages.append(_page(result))
        cursor = result.response["gap"] or result.response["bottom"]
        if not options.as_json:
            console.print(_table(loaded, user, number, result))
            _print_news(loaded, result.response, console)
            console.print(f"next page: --cursor {cursor}\n" if cursor else "the end", soft_wrap=True)
        if cursor is None:
            break
    if options.as_json:
        print(json.dumps({"user": user, "pages": pages}, ensure_ascii=False, indent=2))  # noqa: T201


def _print_news(loaded: Loaded, response: dict[str, Any], console: Console) -> None:
    stores, pill = loaded.stores, response["pill"]
    if pill is not None:
        names = ", ".join(stores.called(row) for row in stores.users.rows_of(pill["authors"]).tolist())
        console.print(
            f"{response['new']} new posts, by {names} and others; shown after {pill['after_s']:g} s"
        )
    console.print(f"what is new: --cursor {response['top']}", soft_wrap=True)


async def _home(workshop: Workshop) -> Home:
    cursors = CursorCodec(cursor_key(), "for_you")
    posts = await FOR_YOU.flow(workshop)
    assert isinstance(posts, ForYou)  # noqa: S101 - this is what For You's application builds
    posts.cursors = cursors
    settings = resolved_params(people_params, workshop.now.data.name, None)
    choices = Choices(seed=workshop.choices.seed)
    people: Any = await FOLLOW_RECS.flow(attrs.evolve(workshop, params=settings, choices=choices, made=[]))
    return Home(posts, people, cursors)


def cursor_key() -> bytes:
    """The key that signs cursors on this machine, made once and kept in the cache."""
    path = cache_directory() / "cursor.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


def _page(result: MixerResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome.value,
        "degraded": [str(one) for one in result.degradations],
        **result.response,
    }


def _table(loaded: Loaded, user: int, number: int, result: MixerResult) -> Table:
    stores = loaded.stores
    view = Table(
        title=f"Home of user {user}, page {number + 1}", title_justify="left", box=None, pad_edge=False
    )
    view.add_column("#", justify="right", style="dim")
    view.add_column("id", justify="right", style="dim")
    view.add_column("entry")
    view.add_column("by", no_wrap=True)
    for place, entry in enumerate(result.response["entries"], start=1):
        if entry["kind"] == "post":
            row = int(stores.posts.index.rows_of([entry["id"]])[0])
            author = stores.called(int(stores.posts.author[row]))
            view.add_row(str(place), str(entry["id"]), _words(loaded, row, entry["warning"]), author)
        elif entry["kind"] == "people":
            names = [stores.called(row) for row in stores.users.rows_of(entry["ids"]).tolist()]
            view.add_row(str(place), "", f"People to follow: {', '.join(names)}", "", style="cyan")
        else:
            view.add_row(str(place), "", entry["text"], "", style="green")
    return view


def _words(loaded: Loaded, row: int, warning: str) -> str:
    posts = loaded.stores.posts
    original = int(posts.index.rows_of([posts.threads.original[row]])[0])
    if original < 0:  # what was reposted is gone
        original = row
    by = loaded.stores.called(int(posts.author[original]))
    repost = f"(repost of {by}) " if original != row else ""
    return (f"[{warning}] " if warning else "") + repost + str(posts.text[original])
