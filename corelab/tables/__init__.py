"""Tables: one schema each, and the functions that derive them from inputs and gates."""
