"""Tables to plain Plotly dictionaries: the visual language of every page, without a web framework."""
