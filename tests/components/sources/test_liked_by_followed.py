from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources import liked_by_followed
from components.sources.liked_by_followed import LikedByFollowed
from components.stores.types import Post
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


def naive(small, row, ties, cap, max_age_h):
    followed, engaged = small.past(small.follows).get(row, []), small.past(small.engagements)
    votes, proofs = defaultdict(float), defaultdict(list)
    for seed in followed:
        weight = 1.0 + (1.97 * small.ties.get((row, seed), 0.0) if ties else 0.0)
        for post in engaged.get(seed, []):
            author, hour, *_ = small.posts[post]
            if author == row or author in followed or post in engaged.get(row, []):
                continue
            if 0 < small.now_h - hour <= max_age_h:
                votes[post] += weight
                proofs[post].append((-weight, 100 + seed))
    return ranked(votes, cap), {post: tuple(id for _, id in sorted(some)) for post, some in proofs.items()}


@given(small_stores(), st.integers(-1, 6), st.booleans(), st.integers(0, 4))
@settings(max_examples=100)
def test_it_equals_its_twin(small, row, ties, cap):
    row, stores = min(row, small.users - 1), small.stores()
    source = LikedByFollowed(stores, small.scores() if ties else None, cap=cap, max_age_h=24.0)
    expected, proofs = naive(small, row, ties, cap, 24)
    found = source.fetch(small.viewer(stores, row))
    same(found, expected)
    assert found[Post.social_proof].tolist() == [proofs[post] for post, _ in expected]


def star(engagers):
    """User 0 follows 1 to ``engagers``, who all engaged with post 0 of a stranger, in order."""
    return Small(
        engagers + 2,
        50,
        {(0, other): 1 for other in range(1, engagers + 1)},
        [(engagers + 1, 40, -1, "", -1, -1)],
        {(other, 0): 41 for other in range(1, engagers + 1)},
        {(0, engagers): 0.5},
        [""] * (engagers + 2),
    )


def test_the_published_constants():
    small = star(12)
    stores = small.stores()
    source = LikedByFollowed(stores, small.scores())
    (post,) = source.fetch(small.viewer(stores, 0))
    assert (source.cap, liked_by_followed.ENGAGEMENTS, source.max_age_h) == (300, 500, 24.0)
    assert abs(post.source_score - (12 + 1.97 * 0.5)) < 1e-5
    assert post.social_proof == (112, *range(101, 110))


def test_scores_made_later_are_not_used():
    small = star(3)
    stores = small.stores()
    (post,) = LikedByFollowed(stores, small.scores(at_h=51)).fetch(small.viewer(stores, 0))
    assert post.source_score == 3.0


def test_under_load_it_answers_less():
    small = star(2)
    small = Small(4, 50, small.follows, small.posts * 4, {(1, p): 41 for p in range(4)}, {}, [""] * 4)
    stores = small.stores()
    assert len(LikedByFollowed(stores, cap=4).fetch(small.viewer(stores, 0, quality_factor=0.5))) == 2


def test_it_keeps_the_laws_of_sources():
    small = star(3)
    stores = small.stores()
    check_laws(LikedByFollowed(stores), target=small.viewer(stores, 0), examples=2)


def test_of_each_followed_the_latest_500_engagements_count():
    posts = [(2, 40, -1, "", -1, -1)] * 501
    small = Small(
        3, 60, {(0, 1): 1}, posts, {(1, post): 41 + (post > 0) for post in range(501)}, {}, [""] * 3
    )
    stores = small.stores()
    found = LikedByFollowed(stores, cap=1000).fetch(small.viewer(stores, 0))
    assert found.ids.tolist() == list(range(1001, 1501))
