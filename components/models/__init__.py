"""Models that score candidates: logistic regression, the heavy ranker, safety classifiers, calibration, the runner.

Nothing is imported here, so that the thin models (``logistic``, ``weighted_score``) never pay for torch.
"""
