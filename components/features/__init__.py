"""The features of a (viewer, post) pair: declared once, computed by the same code for training and for serving."""
