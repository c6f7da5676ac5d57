"""General attributed graphs: built node by node and edge by edge, with exact symmetry."""
