"""Answers statistical questions with scipy and statsmodels, for tests/statistics_oracle.rs.

Reads a JSON list of {"ask": NAME, ...arguments} from stdin and writes the JSON list of answers, each a
list of numbers. Exits with 3 when a package is missing, and says which on stderr.
"""

import json
import sys

try:
    import numpy
    from scipy import stats
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.proportion import proportion_confint
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)


def wilson(hits, trials):
    return list(proportion_confint(hits, trials, alpha=0.05, method="wilson"))


def wilson_with_t(ratio, size, degrees_of_freedom):
    """statsmodels takes the normal quantile of alpha; this alpha makes it the quantile of Student's t."""
    alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, degrees_of_freedom))
    return list(proportion_confint(ratio * size, size, alpha=alpha, method="wilson"))


def t_quantile(degrees_of_freedom):
    return [stats.t.ppf(0.975, degrees_of_freedom)]


def design_effect(hits, trials):
    """Variance of the ratio estimator by linearisation over the binomial one, from its textbook form."""
    y, n = numpy.array(hits, float), numpy.array(trials, float)
    p = y.sum() / n.sum()
    between = len(y) * numpy.var(y - p * n, ddof=1) / n.sum() ** 2
    return [between / (p * (1 - p) / n.sum())]


def exact_mcnemar(lost, gained):
    return [mcnemar([[0, lost], [gained, 0]], exact=True).pvalue]


def holm(p_values):
    return list(multipletests(p_values, method="holm")[1])


def sign_flip(differences):
    zeros = [0] * len(differences)

    def statistic(after, before, axis):
        return numpy.sum(after, axis=axis) - numpy.sum(before, axis=axis)

    result = stats.permutation_test(
        (differences, zeros),
        statistic,
        permutation_type="samples",
        n_resamples=numpy.inf,
        alternative="two-sided",
        vectorized=True,
    )
    return [result.pvalue]


ANSWERS = {
    function.__name__: function
    for function in (
        wilson,
        wilson_with_t,
        t_quantile,
        design_effect,
        exact_mcnemar,
        holm,
        sign_flip,
    )
}


def main():
    answers = []
    for question in json.load(sys.stdin):
        answer = ANSWERS[question.pop("ask")](**question)
        answers.append([float(number) for number in answer])
    json.dump(answers, sys.stdout)


main()
