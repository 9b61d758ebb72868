"""How recommended accounts look: as JSON, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from components.stores.types import Account
from mixer import RecommendationResult
from products._cli.answer import Row, people, provenance_rows
from products._cli.data import Loaded


def rows(loaded: Loaded, result: RecommendationResult[Any]) -> list[Row]:
    """A JSON object for each account."""
    origins = provenance_rows(result.candidates)
    return [_row(loaded, account, origin) for account, origin in zip(result.candidates, origins, strict=True)]


def _row(loaded: Loaded, account: Account, origin: Row) -> Row:
    return {
        "id": account.id,
        "score": account.score,
        **origin,
        "reason": reason(loaded, account),
        "name": loaded.stores.called(account.row),
        "connectors": account.connectors,
        "shared_interests": account.shared_interests,
        "followers": int(account.followers),
        "social_proof": list(account.social_proof or ()),
        "follow_probability": _known(account.follow_probability),
        "engagement_probability": _known(account.engagement_probability),
        "propensity": _known(account.propensity),
        "tracking_token": account.tracking_token,
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def reason(loaded: Loaded, account: Account) -> str:
    """Why an account is shown, in words; the closest connection wins."""
    acted = loaded.follows_are_interactions
    connectors = people(loaded.stores, account.social_proof, account.connectors)
    if connectors:
        return (
            f"{connectors} you interact with did so too" if acted else f"followed by {connectors} you follow"
        )
    if account.shared_interests:
        what = "account" if acted else "interest"
        return f"{account.shared_interests} {what}{'s' * (account.shared_interests > 1)} in common with you"
    return f"popular: {account.followers:,.0f} {'people interacted' if acted else 'followers'}"


def table(user: int, shown: Sequence[Row]) -> Table:
    """The accounts for people."""
    view = Table(
        title=f"Who to follow, user {user}", title_justify="left", box=None, pad_edge=False, expand=True
    )
    view.add_column("#", justify="right", style="dim")
    view.add_column("id", justify="right", style="dim")
    view.add_column("account", no_wrap=True)
    view.add_column("followers", justify="right")
    view.add_column("source", no_wrap=True)
    view.add_column("score", justify="right", no_wrap=True)
    view.add_column("why", ratio=3, style="italic")
    for place, row in enumerate(shown, start=1):
        source = row["source"] + (f" +{len(row['sources']) - 1}" if len(row["sources"]) > 1 else "")
        cells = (row["name"], f"{row['followers']:,}", source, f"{row['score']:.2g}", row["reason"])
        view.add_row(str(place), str(row["id"]), *cells)
    return view
