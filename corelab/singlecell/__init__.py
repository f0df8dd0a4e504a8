"""Single cells: clusters of cells, their map, and how much of each a sample holds."""
