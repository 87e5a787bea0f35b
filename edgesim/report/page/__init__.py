"""The page of a run and the page of a study: one file each, which opens without a network."""
