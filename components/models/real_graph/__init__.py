"""RealGraph: how likely one account is to interact with another soon."""
