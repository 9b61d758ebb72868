"""Two towers: users and posts, each mapped into one space from hashed ids, history and features, for retrieval.

Source: "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (RecSys 2019): in-batch
softmax, log-Q correction by streaming estimates of frequency, vectors of length 1 and a temperature.
"""
