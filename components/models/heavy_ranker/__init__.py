"""The heavy ranker: one network that predicts the probability of every engagement for a (viewer, post) pair.

``python -m components.models.heavy_ranker --help`` lists what can be done from the command line.
"""
