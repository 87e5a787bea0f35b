"""optics: a wave-optics library for the 4f free-space correlator."""
