from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from components.stores.words import WordIndex, words_of

TEXT = st.lists(st.sampled_from(["Tea", "tea,", "#tea", "jazz", "JAZZ!", "don't", "a", "b"]), max_size=6).map(
    " ".join
)


@given(st.lists(TEXT, max_size=6), TEXT)
def test_the_index_equals_a_search_through_every_text(texts, phrase):
    wanted = words_of(phrase)

    def says(text):
        words = words_of(text)
        starts = [wanted] + ([[f"#{wanted[0]}", *wanted[1:]]] if wanted else [])
        return bool(wanted) and any(
            words[at : at + len(form)] == form for form in starts for at in range(len(words))
        )

    expected = [row for row, text in enumerate(texts) if says(text)]
    assert WordIndex.of(texts).rows_with(phrase).tolist() == expected


def test_words_are_whole_and_without_case():
    index = WordIndex.of(["A cat", "concatenate", "CAT, dog", "straße"])
    assert index.rows_with("cat").tolist() == [0, 2]
    assert index.rows_with("STRASSE").tolist() == [3]
    assert index.rows_with("cat dog").tolist() == [2]
    assert index.rows_with("  ").tolist() == []
