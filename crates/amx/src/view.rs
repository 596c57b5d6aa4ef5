//! Matrices as they lie in memory.

/// A matrix whose rows or columns are whole: numbers of one of them lie side by side.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// From one row, or column, to the next.
    pub(crate) stride: usize,
    /// Whether columns are whole, not rows.
    pub(crate) transposed: bool,
}

impl<'a> View<'a> {
    /// A matrix of `[rows, columns]` of which row `i` begins at `i * stride`. None where numbers are missing.
    pub fn of_rows(numbers: &'a [f32], [rows, columns]: [usize; 2], stride: usize) -> Option<Self> {
        let needed = match rows {
            0 => 0,
            rows => (rows - 1).checked_mul(stride)?.checked_add(columns)?,
        };
        (stride >= columns && numbers.len() >= needed).then_some(Self {
            numbers,
            rows,
            columns,
            stride,
            transposed: false,
        })
    }

    /// The same matrix with rows and columns changed about; nothing moves.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }
}
