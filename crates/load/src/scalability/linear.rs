//! Weighted linear least squares with three terms, some of which may be held at 0.

/// Coefficients of the problem.
pub(super) const TERMS: usize = 3;
/// A pivot smaller than this share of its column says that the points cannot tell the terms apart.
const PIVOT_MIN: f64 = 1e-12;

/// Minimises `Σ weight · (value − Σ coefficient · term)²` over the coefficients whose flag is set; the
/// others are 0. `None`: the rows do not determine them.
pub(super) fn solve(
    rows: impl Iterator<Item = ([f64; TERMS], f64, f64)>,
    free: [bool; TERMS],
) -> Option<[f64; TERMS]> {
    // Normal equations, the right-hand side in the last column.
    let mut matrix = [[0.0; TERMS + 1]; TERMS];
    for (terms, value, weight) in rows {
        for row in 0..TERMS {
            for column in 0..TERMS {
                matrix[row][column] += weight * terms[row] * terms[column];
            }
            matrix[row][TERMS] += weight * terms[row] * value;
        }
    }
    // Terms of very different size: scaled, so that pivots can be compared.
    let scale: [f64; TERMS] =
        std::array::from_fn(|index| matrix[index][index].sqrt().max(f64::MIN_POSITIVE));
    for row in 0..TERMS {
        for column in 0..TERMS {
            matrix[row][column] /= scale[row] * scale[column];
        }
        matrix[row][TERMS] /= scale[row];
    }
    for term in (0..TERMS).filter(|&term| !free[term]) {
        for row in &mut matrix {
            row[term] = 0.0;
        }
        matrix[term] = [0.0; TERMS + 1];
        matrix[term][term] = 1.0;
    }
    let solution = eliminate(matrix)?;
    Some(std::array::from_fn(|index| solution[index] / scale[index]))
}

/// Gauss–Jordan with the largest pivot.
fn eliminate(mut matrix: [[f64; TERMS + 1]; TERMS]) -> Option<[f64; TERMS]> {
    for column in 0..TERMS {
        let size = |row: usize| matrix[row][column].abs();
        let pivot = (column..TERMS).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
        if !size(pivot).is_finite() || size(pivot) < PIVOT_MIN {
            return None;
        }
        matrix.swap(column, pivot);
        let pivot_row = matrix[column].map(|value| value / matrix[column][column]);
        for (index, row) in matrix.iter_mut().enumerate() {
            let factor = row[column];
            if index == column {
                *row = pivot_row;
            } else {
                row.iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    Some(matrix.map(|row| row[TERMS]))
}
