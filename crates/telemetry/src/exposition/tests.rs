use super::*;

#[test]
fn families_samples_and_escapes() {
    let mut exposition = Exposition::default();
    exposition.family("requests_total", Kind::Counter, "How many\nrequests.");
    exposition.sample(&[], 1);
    exposition.sample(&[("route", "a\"b\\c\nd"), ("code", "200")], 0.25);
    exposition.family("seconds", Kind::Histogram, "Time.");
    exposition.suffixed("_bucket", &[("le", "+Inf")], 3_u64);
    assert_eq!(
        exposition.finish(),
        "# HELP requests_total How many requests.\n\
         # TYPE requests_total counter\n\
         requests_total 1\n\
         requests_total{route=\"a\\\"b\\\\c\\nd\",code=\"200\"} 0.25\n\
         # HELP seconds Time.\n\
         # TYPE seconds histogram\n\
         seconds_bucket{le=\"+Inf\"} 3\n"
    );
}
