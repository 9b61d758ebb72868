"""Words for the posts of the synthetic world: a vocabulary a topic, and sentences that people might write."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOPICS: dict[str, tuple[str, ...]] = {
    "astronomy": ("the comet", "a new telescope", "the lunar eclipse", "this nebula", "the meteor shower"),
    "baking": ("sourdough", "rye bread", "the croissants", "a plum cake", "the oven spring"),
    "birds": ("the kingfisher", "a pair of owls", "the swifts", "our feeder", "the dawn chorus"),
    "board games": ("the expansion", "a two-player game", "the rule book", "our campaign", "the co-op mode"),
    "chess": ("the Najdorf", "a rook endgame", "the blitz final", "this gambit", "the draw"),
    "climbing": ("the north face", "a new crux", "the boulder gym", "this multi-pitch", "the finger board"),
    "cycling": ("the headwind", "a gravel ride", "the mountain stage", "my new wheels", "the commute"),
    "film": ("the director's cut", "a silent film", "the last scene", "this soundtrack", "the matinee"),
    "football": ("the derby", "a late penalty", "the back four", "this transfer", "the cup final"),
    "gardening": ("the tomatoes", "a raised bed", "the compost", "my roses", "the slugs"),
    "history": ("the archive", "a Roman road", "the old map", "this letter", "the siege"),
    "jazz": ("the quartet", "a live recording", "the bass solo", "this standard", "the late set"),
    "local news": ("the council", "a new tram line", "the library", "this junction", "the market"),
    "photography": ("the golden hour", "a 35 mm lens", "the darkroom", "this portrait", "the long exposure"),
    "programming": ("the type checker", "a flaky test", "the refactoring", "this profiler", "the release"),
    "tea": ("the first flush", "a gaiwan", "the oolong", "this teapot", "the second steep"),
}
"""Topics by name, with things one can talk about."""

_FORMS = (
    "{}: worth the wait today",
    "Can't stop thinking about {}",
    "Three things I learnt about {} this week",
    "Unpopular opinion about {}: not for me",
    "Does anyone have advice about {}?",
    "Finally, {}!",
    "{} again, and better than last time",
    "If you like {}, read this",
    "My notes on {}",
    "Who else is up for {} this weekend?",
)


def texts_of(topic: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.object_]:
    """``(n,)`` a short text for each topic number."""
    things = np.array([list(words) for words in TOPICS.values()], dtype=object)
    subject = things[topic, rng.integers(0, things.shape[1], len(topic))]
    forms = rng.integers(0, len(_FORMS), len(topic))
    table = {(form, thing): _sentence(form, thing) for thing in things.ravel() for form in range(len(_FORMS))}
    return np.array([table[pair] for pair in zip(forms.tolist(), subject, strict=True)], dtype=object)


def _sentence(form: int, thing: str) -> str:
    text = _FORMS[form].format(thing)
    return text[0].upper() + text[1:]


UNSAFE_WORDS = {
    "nsfw": ("explicit pictures inside", "uncensored, adults only", "nudes in the thread"),
    "toxicity": ("and you are all idiots", "shut up, losers", "only morons disagree"),
}
"""What posts say that deserve a label, by label."""


def unsafe_texts(
    texts: NDArray[np.object_], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.object_], tuple[NDArray[np.int64], NDArray[np.object_]]]:
    """Some texts made unsafe, and which rows now deserve which label; a share of the texts for each label."""
    changed, rows, names = texts.copy(), [], []
    for label, phrases in UNSAFE_WORDS.items():
        chosen = np.flatnonzero(rng.random(len(texts)) < share)
        added = np.array(phrases, dtype=object)[rng.integers(0, len(phrases), len(chosen))]
        changed[chosen] = changed[chosen] + ", " + added
        rows.append(chosen)
        names.append(np.full(len(chosen), label, dtype=object))
    return changed, (np.concatenate(rows), np.concatenate(names))
