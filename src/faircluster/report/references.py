"""What the reports cite."""

from __future__ import annotations

__all__ = ["REFERENCES"]

REFERENCES: dict[str, str] = {
    "dickerson2024": "Dickerson, Esmaeili, Morgenstern & Zhang, 'Fair clustering: critique, caveats, and "
    "future "
    "directions', arXiv 2406.15960, 2024.",
    "selbst2019": "Selbst, boyd, Friedler, Venkatasubramanian & Vertesi, 'Fairness and abstraction in "
    "sociotechnical systems', FAT* 2019.",
    "chhabra2021": "Chhabra, Masalkovaitė & Mohapatra, 'An overview of fairness in clustering', IEEE Access "
    "9, "
    "2021.",
    "ghadiri2021": "Ghadiri, Samadi & Vempala, 'Socially fair k-means clustering', FAccT 2021.",
    "abbasi2021": "Abbasi, Bhaskara & Venkatasubramanian, 'Fair clustering via equitable group "
    "representations', FAccT 2021.",
    "kearns2018": "Kearns, Neel, Roth & Wu, 'Preventing fairness gerrymandering: auditing and learning for "
    "subgroup fairness', ICML 2018.",
    "chierichetti2017": "Chierichetti, Kumar, Lattanzi & Vassilvitskii, 'Fair clustering through fairlets', "
    "NIPS 2017. (balance)",
    "bera2019": "Bera, Chakrabarty, Flores & Negahbani, 'Fair algorithms for clustering', NeurIPS 2019. "
    "(bounds "
    "on shares, additive violation)",
    "eeoc1978": "Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4(D), 1978. (four-fifths "
    "rule)",
    "wilson1927": "Wilson, 'Probable inference, the law of succession, and statistical inference', JASA 22, "
    "1927; recommended by Brown, Cai & DasGupta, 'Interval estimation for a binomial proportion', "
    "Statistical "
    "Science 16, 2001.",
    "katz1978": "Katz, Baptista, Azen & Pike, 'Obtaining confidence intervals for the risk ratio in cohort "
    "studies', Biometrics 34, 1978.",
    "kish1965": "Kish, 'Survey sampling', Wiley, 1965. (effective sample size)",
    "austin2009": "Austin, 'Balance diagnostics for comparing the distribution of baseline covariates "
    "between "
    "treatment groups in propensity-score matched samples', Statistics in Medicine 28, 2009. (standardized "
    "differences)",
}
