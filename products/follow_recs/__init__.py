"""Follow recommendations: accounts that a viewer might want to follow."""
