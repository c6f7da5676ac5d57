"""As much of chemprop as its server uses: a model that counts atoms."""
