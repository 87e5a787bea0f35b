"""What a run is summed up to: its figures, their statistics, and the tables of its folder."""
