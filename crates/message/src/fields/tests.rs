use super::*;

fn sample() -> Fields {
    [("host", "a.example"), ("x-one", "1"), ("cookie", "a=1"), ("x-one", "2"), ("cookie", "b=2")]
        .into_iter()
        .collect()
}

fn render(fields: &Fields) -> String {
    let lines: Vec<_> = fields
        .iter()
        .map(|f| {
            format!("{}={}", String::from_utf8_lossy(f.name), String::from_utf8_lossy(f.value))
        })
        .collect();
    lines.join(" ")
}

#[test]
fn order_and_repeats_are_kept() {
    assert_eq!(render(&sample()), "host=a.example x-one=1 cookie=a=1 x-one=2 cookie=b=2");
}

#[test]
fn lookups_by_id_and_by_name_agree() {
    let fields = sample();
    assert_eq!(fields.get(Known::Host), Some(&b"a.example"[..]));
    assert_eq!(fields.get_named(b"host"), Some(&b"a.example"[..]));
    assert_eq!(fields.get_named(b"x-one"), Some(&b"1"[..]));
    assert_eq!(fields.get_named(b"x-two"), None);
    assert_eq!(fields.get(Known::Te), None);
    assert_eq!(fields.get_all(Known::Cookie).count(), 2);
}

#[test]
fn removal_clears_presence() {
    let mut fields = sample();
    fields.remove(Known::Cookie);
    assert!(!fields.contains(Known::Cookie));
    fields.remove_named(b"x-one");
    assert!(!fields.contains(Known::Other));
    assert_eq!(render(&fields), "host=a.example");
    fields.set(Known::Host, b"b.example");
    assert_eq!(render(&fields), "host=b.example");
}

#[test]
fn retain_sees_every_field_once() {
    let mut fields = sample();
    let mut seen = 0;
    fields.retain(|field| {
        seen += 1;
        field.value != b"2"
    });
    assert_eq!(seen, 5);
    assert_eq!(render(&fields), "host=a.example x-one=1 cookie=a=1 cookie=b=2");
}

#[test]
fn clearing_keeps_nothing_but_memory() {
    let mut fields = sample();
    fields.clear();
    assert!(fields.is_empty() && !fields.contains(Known::Host));
    fields.push(b"te", b"trailers");
    assert_eq!(render(&fields), "te=trailers");
    assert_eq!(fields.list_bytes(), 2 + 8 + 32);
}
