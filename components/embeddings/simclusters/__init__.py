"""SimClusters: communities of producers, what users care about among them, and posts by who engaged with them.

Source: "SimClusters: Community-Based Representations for Heterogeneous Recommendations at Twitter" (KDD 2020) and
the constants of the systems published in 2023 and 2026. Sparse throughout.
"""
