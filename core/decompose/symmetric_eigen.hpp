// Eigenvalues of symmetric matrices on the host.
#pragma once

#include <vector>

#include "tandem/core/matrix.hpp"

namespace tandem {

struct SymmetricEigen {
  std::vector<double> values;  // descending
  Matrix<double> vectors;      // row k belongs to values[k], of length 1
};

// matrix: n × n, symmetric, finite. One thread, and the same bits on every processor: no blocking
// that goes by the size of a cache, and no fused multiplication but where the code says so.
// Householder's reduction to a tridiagonal matrix and QR steps (Golub and Van Loan, §8.3), about
// 9·n³ operations. Throws NumericalError where it does not converge.
[[nodiscard]] SymmetricEigen symmetric_eigen(const Matrix<double>& matrix);

// Rows of length 1 that are orthogonal to each other from rows that are nearly so, in their order:
// each loses its part in the span of those before it. In place of one of which too little is left
// comes the unit vector with most left, the lowest of equals. Requires: no more rows than columns.
void make_orthonormal(Matrix<double>& rows);

// Turns each row round whose entry of the largest magnitude is negative; of several that are as
// large up to one part in 2^20, which roundings may have put in any order, the first decides.
void fix_signs(Matrix<double>& rows);

}  // namespace tandem
