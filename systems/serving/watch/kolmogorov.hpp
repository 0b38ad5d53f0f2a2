// The distribution of the Kolmogorov-Smirnov statistic of two samples that are known at a few
// places only, as counts of intervals are.
#pragma once

#include <vector>

namespace tandem::watch {

// P(max |B(t)| >= x over the t given), of a Brownian bridge B: what sqrt(nm/(n + m)) times the
// largest difference of two empirical distribution functions at these places tends to, where t are
// the shares of the rows up to each place. The usual tail, over all t, would be too large for
// counts of intervals, and far too large for a column of few values, so that alarms would come too
// seldom.
//
// `t` ascending, strictly between 0 and 1. Places nearer to the one before than 1/128 must be left
// out: see spread_places(). Computed by carrying the density of the bridge that has stayed within
// ±x from place to place with Simpson's rule; absolute error below 1e-6 for x >= 0.3 (below that
// the result is 1 to four digits for two places or more).
[[nodiscard]] double kolmogorov_tail(double x, const std::vector<double>& t);

// The indices of those of the ascending shares that lie in (1/256, 255/256) and are at least 1/128
// apart; of a column with one interval none.
[[nodiscard]] std::vector<std::size_t> spread_places(const std::vector<double>& shares);

}  // namespace tandem::watch
