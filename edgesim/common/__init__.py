"""The ground that every other package of edgesim stands on; it imports none of them."""
