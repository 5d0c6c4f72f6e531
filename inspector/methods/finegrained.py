"""FineGrainedAD (Fan et al., Towards Fine-Grained Vision-Language Alignment for Few-Shot Anomaly Detection, Pattern
Recognition 2026, arXiv 2510.26464): prompts for the parts and attributes that a description of the product names.

Will hold the multi-level learnable prompts, the alignment losses (Eqs. 2, 3), the Query Former and the token-wise
retrieval with re-weighting (Eqs. 4–8).
"""
