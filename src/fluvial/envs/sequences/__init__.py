"""Words over an alphabet: strings, bit words, proteins, nucleic acids."""
