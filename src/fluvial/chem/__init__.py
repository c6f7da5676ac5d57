"""Everything RDKit: molecules, properties, filters, fragment vocabularies."""
