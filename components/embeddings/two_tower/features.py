"""What the towers see: hashed values of fields, as rows of one table; row 0 stands for "nothing"."""

from __future__ import annotations

from hashlib import blake2b

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.stores.stores import Stores

POST_FIELDS = ("post", "author", "topic", "entity", "language", "media", "reply")
USER_FIELDS = ("user", "user language", *(f"history {field}" for field in POST_FIELDS[:5]))
HISTORY_FIELDS = 5


@attrs.frozen(eq=False)
class Features:
    """Hashed fields of all users and posts.

    Args:
        posts: ``(posts, fields)``, the first being the post's own id; nothing in them changes with age.
        users: ``(users, fields)``, the first being the user's own id.
    """

    posts: NDArray[np.int32]
    users: NDArray[np.int32]

    @classmethod
    def of(cls, stores: Stores, buckets: int) -> Features:
        """The features of everybody and everything in the stores."""
        posts = stores.posts
        columns: list[ArrayLike] = [posts.index.ids, stores.users.ids[posts.author]]
        columns += [posts.traits.get(name, np.full(len(posts), -1)) for name in ("topic", "entity_id")]
        columns += [posts.traits.get("language", np.full(len(posts), "")), posts.number("media", 0)]
        columns += [(posts.number("reply_to", -1) >= 0).astype(np.int64)]
        language = stores.traits.get("language", np.full(len(stores.users), ""))
        return cls(
            _table(POST_FIELDS, columns, buckets),
            _table(USER_FIELDS[:2], [stores.users.ids, language], buckets),
        )


def _table(fields: tuple[str, ...], columns: list[ArrayLike], buckets: int) -> NDArray[np.int32]:
    hashed = [hashed_values(field, column, buckets) for field, column in zip(fields, columns, strict=True)]
    return np.stack(hashed, axis=1)


def hashed_values(field: str, values: ArrayLike, buckets: int) -> NDArray[np.int32]:
    """``(n,)`` buckets from 1 on; 0 for -1 and the empty word. The same in every process."""
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.number):
        numbers, missing = array.astype(np.int64), array == -1
    else:
        words, where = np.unique(array.astype(str), return_inverse=True)
        numbers = np.array([_word(word) for word in words], dtype=np.int64)[where]
        missing = (words == "")[where]
    mixed = _mixed(numbers.view(np.uint64) ^ np.uint64(_word(field)))
    return np.where(missing, 0, 1 + mixed % np.uint64(buckets - 1)).astype(np.int32)


def _word(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=7).digest(), "little")


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
