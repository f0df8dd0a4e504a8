"""Tables to Plotly figures; no dash, no input or output."""
