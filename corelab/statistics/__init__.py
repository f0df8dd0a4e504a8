"""Intervals of counts and the rule by which rare events are detected and quantified."""
