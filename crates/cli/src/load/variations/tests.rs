use super::*;

#[test]
fn placeholders_become_numbers_within_their_bounds() {
    let variations = Variations::parse("a{n:uniform(8, 11)}b{m:uniform(5,5)}").unwrap();
    let mut seen: Vec<String> = variations.texts(1).collect();
    assert_eq!(seen.len(), VARIATIONS_MAX);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["a10b5", "a11b5", "a8b5", "a9b5"]);
    let all = Variations::parse("{n:uniform(0,18446744073709551615)}").unwrap();
    assert!(all.texts(1).all(|text| text.parse::<u64>().is_ok()));
    // Long texts are made less often.
    let long = format!("{{n:uniform(1,2)}}{}", "x".repeat(1 << 20));
    assert_eq!(Variations::parse(&long).unwrap().texts(1).count(), 63);
}

#[test]
fn what_is_no_placeholder_stays_and_a_wrong_one_is_an_error() {
    for text in ["", "{}", "{\"a\": {\"b\": \"é{\"}}", "{:uniform(1,2)}", "{a:b}", "{a"] {
        let texts: Vec<_> = Variations::parse(text).unwrap().texts(1).collect();
        assert_eq!(texts, [text]);
    }
    for (text, error) in [
        ("{a:uniform(1,2)", "has no `)}`"),
        ("{a:uniform(1)}", "is not of the form {name:uniform(1,1000)}"),
        ("{a:uniform(-1,2)}", "is not of the form {name:uniform(1,1000)}"),
        ("{a:uniform(2,1)}", "has its bounds the wrong way round"),
    ] {
        let told = Variations::parse(text).unwrap_err().to_string();
        assert!(told.contains(error), "{told}");
    }
}
