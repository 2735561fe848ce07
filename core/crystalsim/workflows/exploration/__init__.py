"""Explorations: search options for the best of many trials.

`search` runs trials, `trials` trains and judges them; `crystalsim.config.exploration` describes the
file, `crystalsim.reports.exploration` writes what came of them.
"""
