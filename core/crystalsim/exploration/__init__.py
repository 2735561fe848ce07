"""Explorations: search options for the best of many trials.

`definition` describes the file, `search` runs trials, `trials` trains and judges them, and
`results` writes what came of them.
"""
