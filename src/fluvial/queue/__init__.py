"""The durable store. Importable without torch."""
