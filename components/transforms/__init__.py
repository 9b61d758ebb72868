"""Transforms: choose what is worth ranking, diversify what was ranked, dress up what is shown."""
