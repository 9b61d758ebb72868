"""A captured request runs again to the same bytes."""

from __future__ import annotations

import anyio
import numpy as np
import pytest
from hypothesis import given

import mixer as m
from mixer.errors import ReplayError
from mixer.params import Params, param
from mixer.replay import Capture, fingerprint, replay, verify
from mixer.testing import PartsFlow, flow_parts, requests, slow

CAPTURED = m.DebugOptions(capture=True)
TOP = param("radio.top", default=3, doc="How many songs.")


class Song(m.Candidate):
    plays = m.column(np.int64, default=0)
    score = m.column(np.float32, default=np.nan)


class Radio(m.RecommendationFlow[m.Target, Song]):
    """Reads a store that changes, draws random numbers, reads the clock and a param."""

    def __init__(self) -> None:
        self.store = {"songs": np.arange(20), "plays": 1}

    def candidate_sources(self, target):
        return [
            m.candidate_source(lambda _: m.Candidates(Song, {Song.id: self.store["songs"]})).named("charts")
        ]

    def hydrate_candidates(self):
        return [
            m.hydrator(writes=(Song.plays,))(
                lambda target, songs: {Song.plays: songs.ids * self.store["plays"]}
            )
        ]

    def select_ranker(self, target):
        def rank(target, songs):
            noise = target.request.rng("radio").random(len(songs))
            score = noise + songs[Song.plays] % 7 + target.request.now_ms % 3
            return songs.with_columns({Song.score: score.astype(np.float32)}).sort(Song.score)

        return m.ranker(rank)

    def results_config(self, target):
        return m.ResultsConfig(target.request.params[TOP])


def target(**fields) -> m.Target:
    return m.Target(request=m.Request(seed=5, now_ms=1234, debug=CAPTURED, **fields))


async def test_the_same_request_gives_the_same_bytes_after_the_world_has_changed(tmp_path):
    flow = Radio()
    result = await flow.process(target(params=Params.of({TOP: 4})))
    assert len(result.candidates) == 4
    Capture.of(result).save(tmp_path / "request")
    flow.store = {"songs": np.arange(100, 120), "plays": 13}
    capture = Capture.load(tmp_path / "request")
    await verify(flow, capture)
    again = await replay(flow, capture)
    assert again.candidates.equals(result.candidates)
    assert again.explain(int(again.candidates.ids[0])).startswith(f"{again.candidates.ids[0]}: shown")


async def test_a_stage_that_reads_its_own_clock_is_found_out():
    flow = Radio()
    result = await flow.process(target())
    capture = Capture.of(result)

    class Drifting(Radio):
        label = "radio"

        def select_ranker(self, target):
            return super().select_ranker(target).reverse()

    with pytest.raises(ReplayError, match=r"flow 'radio'.*expected"):
        await verify(Drifting(), capture)


@given(flow_parts(), requests())
def test_any_flow_replays(parts, request_):
    async def check():
        flow = PartsFlow(parts, wrap=slow)
        traced = m.Target(request=m.Request(seed=request_.seed, debug=CAPTURED))
        result = await flow.process(traced)
        await verify(PartsFlow(parts), Capture.of(result))

    anyio.run(check)


async def test_side_effects_are_not_repeated():
    applied = []

    class Publishing(Radio):
        label = "radio"

        def side_effects(self):
            return [m.side_effect(lambda target, result: applied.append(1))]

    flow = Publishing()
    await verify(flow, Capture.of(await flow.process(target())))
    assert applied == [1]


async def test_what_was_not_captured_cannot_be_replayed():
    result = await Radio().process(m.Target())
    with pytest.raises(ReplayError, match=r"DebugOptions\(capture=True\)"):
        Capture.of(result)


async def test_a_capture_belongs_to_its_flow():
    capture = Capture.of(await Radio().process(target()))

    class Other(Radio):
        pass

    with pytest.raises(ReplayError, match="expected a capture of flow 'other', got one of 'radio'"):
        await replay(Other(), capture)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"mixer capture 1\n", b"mixer capture 1\n\x80\x04N.", b"mixer capture 1\ngarbage"],
)
def test_files_that_are_no_captures_are_refused(tmp_path, content):
    path = tmp_path / "capture"
    path.write_bytes(content)
    with pytest.raises(ReplayError, match="capture"):
        Capture.load(path)


def test_fingerprints_tell_order_and_values_apart():
    one = m.Candidates(Song, {Song.id: [1, 2], Song.plays: [3, 4]})
    assert fingerprint(one) == fingerprint(m.Candidates(Song, {Song.plays: [3, 4], Song.id: [1, 2]}))
    assert fingerprint(one) != fingerprint(one.take([1, 0]))
    assert fingerprint(one) != fingerprint(one.with_columns({Song.plays: [3, 5]}))
