"""Learning rules: from trajectories with known rewards to a loss for each."""
