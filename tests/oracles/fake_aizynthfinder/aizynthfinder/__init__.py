"""As much of AiZynthFinder as the server of routes uses."""
