"""For You: a timeline of posts from people one follows and people one might."""
