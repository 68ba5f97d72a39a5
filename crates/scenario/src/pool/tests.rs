use super::*;

#[test]
fn rows_of_csv_are_read_with_quotes_and_line_breaks() {
    let text = "\u{feff}id,name\r\n1,ann\r\n\r\n2,\"b, \"\"c\"\"\nd\"\r\n3,";
    let pool = Pool::csv("users", text).unwrap();
    assert_eq!((pool.rows(), pool.columns.as_slice()), (3, &["id".into(), "name".into()][..]));
    let cells =
        [(0, 0, "1"), (0, 1, "ann"), (1, 1, "b, \"c\"\nd"), (2, 0, "3"), (2, 1, ""), (3, 0, "")];
    for (row, column, expected) in cells {
        assert_eq!(pool.cell(row, column), expected, "{row} {column}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, expected) in [
        ("", "the file is empty"),
        ("a,b\n", "there are no values in it"),
        ("a,\n1,2\n", "the first row names the columns, and one of its names is empty"),
        ("a,b\n1,2\n3\n", "line 3 has 1 fields, the first row names 2"),
        ("a,b\n1,\"2\n", "line 2: a quote is not closed"),
        ("a\n\"1\"x\n", "line 2: text behind a quote"),
    ] {
        assert_eq!(Pool::csv("p", text).unwrap_err(), expected, "{text:?}");
    }
    assert!(Pool::csv("p", &"a,".repeat(99)).is_err());
}

#[test]
fn lines_are_values() {
    let pool = Pool::lines("agents", "a b\n\nc\n").unwrap();
    assert_eq!((pool.rows(), pool.cell(1, 0)), (2, "c"));
    assert!(Pool::lines("agents", "\n").is_err());
}
