"""Pages and sheets for people: what an audit found, what a run measured.

In: values. Out: HTML and PNG. Never: computes a figure.
"""
