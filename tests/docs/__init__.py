"""Everything that the documents show is run."""
