"""TwHIN: users, posts and topics in one space, related by translation.

Source: "TwHIN: Embedding the Twitter Heterogeneous Information Network" (KDD 2022), trained as PyTorch-BigGraph
trains: typed entities, an operator a relation, negatives of the right type. Unlike the published trainer, negatives
are pushed down, both sides are scored by one function, and gradients reach the relations.

``Relation``, ``TwhinConfig`` and ``TwhinEmbeddings`` need no torch; ``train`` does.
"""
