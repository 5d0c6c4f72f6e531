"""MPA / MPAMA (Learning Multi-granularity Visual-textual Alignment for Zero-shot Anomaly Detection, OpenReview
JwSFgHCXeg): prompts at several neighbourhood sizes and a mixture of small experts on patch tokens. A reconstruction:
neither code nor numbers are public.

Will hold the levels p in {1, 3, 5} with their global pair and cross bridge, the experts with top-2 routing, and the two
stages of teaching.
"""
