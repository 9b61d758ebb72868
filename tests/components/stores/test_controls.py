from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stores.controls import ControlStore
from components.stores.types import Controls

CHANGES = st.sampled_from(
    [
        {"discovery": 0.0},
        {"discovery": 1.0},
        {"half_life_h": 3.0},
        {"less_authors": frozenset({7})},
        {"more_topics": frozenset({1, 2})},
        {"muted_words": ("spoiler",)},
        {"personalised": False},
    ]
)


@given(st.lists(st.tuples(st.integers(1, 2), st.none() | CHANGES), max_size=12))
def test_changes_and_undos_equal_a_stack_a_viewer(steps):
    store, stacks = ControlStore(), {1: [{}], 2: [{}]}
    for viewer, change in steps:
        if change is None:
            store.undo(viewer)
            stacks[viewer] = stacks[viewer][:-1] or stacks[viewer]
        else:
            store.change(viewer, **change)
            stacks[viewer].append({**stacks[viewer][-1], **change})
    for viewer, stack in stacks.items():
        assert store.of(viewer) == Controls(**stack[-1])


def test_a_file_keeps_everything_with_its_past(tmp_path):
    path = tmp_path / "controls.json"
    store = ControlStore(path)
    store.change(3, less_authors=frozenset({9, 4}), half_life_h=2.0)
    store.change(3, muted_words=("two words", "one"))
    again = ControlStore(path)
    assert again.of(3) == store.of(3)
    assert again.undo(3) == Controls(less_authors=frozenset({4, 9}), half_life_h=2.0)
    assert ControlStore(path).of(3) == again.of(3)
    assert json.loads(json.dumps(dict(again.export(3))))["less_authors"] == [4, 9]


def test_processes_that_share_a_file_lose_nothing_and_tell_each_other(tmp_path):
    path = tmp_path / "controls.json"
    served = ControlStore(path)

    def change(viewer):
        for hours in range(1, 11):
            ControlStore(path).change(viewer, half_life_h=float(hours))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(1, 5)))
    assert [served.of(viewer).half_life_h for viewer in range(1, 5)] == [10.0] * 4
    assert [served.undoable(viewer) for viewer in range(1, 5)] == [10] * 4


def test_a_reset_forgets_wishes_and_the_past():
    store = ControlStore()
    store.change(1, discovery=1.0)
    assert store.reset_profile(1, 500) == Controls(profile_since_ms=500)
    assert store.undo(1) == Controls(discovery=1.0)


def test_impossible_wishes_and_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="discovery"):
        ControlStore().change(1, discovery=1.5)
    with pytest.raises(TypeError, match="colour"):
        ControlStore().change(1, colour="red")
    path = tmp_path / "controls.json"
    for text, message in (
        ("no json", "expected the JSON of a control store"),
        ("[]", "expected format mixer.controls/1"),
        ('{"format": "mixer.controls/1", "viewers": {"1": [{"colour": 1}]}}', "expected controls discovery"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            ControlStore(path)
