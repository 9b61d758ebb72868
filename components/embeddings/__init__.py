"""Embeddings learnt from who follows and engages with whom: SimClusters, TwHIN, two towers.

Nothing is imported here, so that the sparse ones never pay for torch.
"""
