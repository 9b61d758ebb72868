"""The library of parts: sources, stores, embeddings, models, datasets, evaluation."""
