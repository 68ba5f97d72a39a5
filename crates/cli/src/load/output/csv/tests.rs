use super::csv;
use crate::load::output::sample;

#[test]
fn every_line_has_as_many_fields_as_the_head_line() {
    let text = csv(&sample::report());
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == head.len()), "{text}");
    let field = |row: usize, name: &str| {
        rows[row][head.iter().position(|field| *field == name).unwrap()].to_owned()
    };
    assert_eq!((field(1, "second"), field(1, "ok")), ("1".to_owned(), "90".to_owned()));
    assert_eq!(field(1, "failures"), "reset=4;timeout=6");
    assert_eq!((field(0, "failures"), field(2, "connections")), (String::new(), "10".to_owned()));
}
