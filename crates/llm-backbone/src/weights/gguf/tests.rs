use super::*;

#[test]
fn rows_of_query_and_key_return_to_the_hugging_face_order() {
    // The converter: reshape (heads, 2, width / 2, columns), swap the middle axes. Two heads of width 4, one column:
    // 0 1 2 3 | 4 5 6 7 becomes 0 2 1 3 | 4 6 5 7.
    let stored = [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0];
    assert_eq!(
        unpermute(&stored, 8, 2),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    );
    // Two columns move together, width 6: rows 0 3 1 4 2 5.
    let stored = [0.0, 0.5, 3.0, 3.5, 1.0, 1.5, 4.0, 4.5, 2.0, 2.5, 5.0, 5.5];
    let rows: Vec<f32> = (0..6)
        .flat_map(|row| [row as f32, row as f32 + 0.5])
        .collect();
    assert_eq!(unpermute(&stored, 6, 1), rows);
}
