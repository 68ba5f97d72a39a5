use super::arrow;

#[test]
fn arrows_point_down() {
    for (from, to, allowed) in [
        ("cli", "message", true),
        ("gateway", "codec", true),
        ("codec", "message", true),
        ("gateway", "control", false),
        ("control", "gateway", false),
        ("codec", "router", false),
        ("message", "codec", false),
        ("gateway", "testkit", false),
        ("unheard-of", "message", false),
    ] {
        assert_eq!(arrow(from, to).is_none(), allowed, "{from} → {to}");
    }
}
