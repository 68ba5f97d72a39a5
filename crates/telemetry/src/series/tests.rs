use super::*;

#[test]
fn names_are_stable_and_bounded() {
    let mut names = Names::new(String::new(), "other".to_owned());
    assert_eq!(names.resolve(String::new()), 0);
    assert_eq!(names.resolve("a".to_owned()), 1);
    assert_eq!(names.resolve("b".to_owned()), 2);
    assert_eq!(names.resolve("a".to_owned()), 1);
    for index in 0..SERIES_MAX {
        names.resolve(format!("name-{index}"));
    }
    assert_eq!(names.all().len(), SERIES_MAX);
    let other = names.resolve("one more".to_owned());
    assert_eq!(names.resolve("and one more".to_owned()), other);
    assert_eq!(*names.all()[other as usize], "other");
    assert_eq!(names.resolve("b".to_owned()), 2, "early names keep their number");
}

#[test]
fn statuses_are_counted_exactly_and_bounded() {
    let counts = StatusCounts::default();
    for status in [200, 200, 0, 404, 200] {
        counts.count(status);
    }
    let mut sum = BTreeMap::new();
    counts.add_to(&mut sum);
    assert_eq!(sum, BTreeMap::from([(Some(200), 3), (Some(0), 1), (Some(404), 1)]));

    for status in 500..599 {
        counts.count(status);
    }
    let mut sum = BTreeMap::new();
    counts.add_to(&mut sum);
    assert_eq!(sum.len(), STATUSES_MAX + 1);
    assert_eq!(sum[&None], 99 - (STATUSES_MAX as u64 - 3));
}

#[test]
fn status_classes() {
    for (status, class) in [
        (0, "none"),
        (101, "1xx"),
        (200, "2xx"),
        (304, "3xx"),
        (499, "4xx"),
        (503, "5xx"),
        (999, "5xx"),
    ] {
        assert_eq!(STATUS_CLASSES[class_index(status)], class);
    }
}
