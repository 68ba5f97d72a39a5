use super::parse::TemplateFault;
use super::*;
use crate::pool::Pool;
use crate::workload::Tokens;

fn pools() -> Vec<Pool> {
    vec![
        Pool::csv("users", "id,name\n1,ann\n2,bob\n3,\"c, \"\"d\"\"\"\n").unwrap(),
        Pool::lines("agents", "x\ny\n").unwrap(),
    ]
}

fn render(text: &str, place: Place, number: u64) -> Result<String, TemplateFault> {
    let (pools, names) = (pools(), ["staff".to_owned()]);
    let mut scope = Scope::new(&pools, &names);
    scope.extract("session").unwrap();
    let template = parse(text, &mut scope).map_err(|mut faults| faults.remove(0))?;
    let tokens = Tokens::new(vec![vec!["t0".to_owned(), "t1".to_owned()]]);
    let extracted = [Some(b"a b/c\r\n".to_vec())];
    let draws = Draws {
        seed: 1,
        number,
        variables: &scope.variables,
        pools: &pools,
        tokens: &tokens,
        extracted: &extracted,
    };
    let mut out = Vec::new();
    template.push(place, &draws, &mut out);
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn braces_that_are_none_of_ours_stay() {
    for (text, expected) in [
        ("", ""),
        (r#"{"a": {"b": [{}]}}"#, r#"{"a": {"b": [{}]}}"#),
        ("{{a}", "{a}"),
        ("{ a }", "{ a }"),
        ("é{{é", "é{é"),
    ] {
        assert_eq!(render(text, Place::Plain, 0).unwrap(), expected);
    }
}

#[test]
fn values_suit_their_place() {
    for (text, place, expected) in [
        ("{session}", Place::Plain, "a b/c\r\n"),
        ("x-{session}", Place::Field, "x-a b/c  "),
        ("/s/{session}", Place::Path, "/s/a%20b%2Fc%0D%0A"),
        ("{session}?x", Place::Path, "/a%20b/c%0D%0A?x"),
    ] {
        assert_eq!(render(text, place, 0).unwrap(), expected);
    }
    let mut out = b"http://a.example/b?c=d e".to_vec();
    lead_path(&mut out, 0);
    assert_eq!(out, b"/b?c=d%20e");
}

#[test]
fn a_name_has_one_value_and_rows_belong_together() {
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..64 {
        let text = "{u:uniform(1,9)} {u} {pick:users.id}{pick:users.name} {token:staff}={token:staff.index}";
        let found = render(text, Place::Plain, number).unwrap();
        assert_eq!(found, render(text, Place::Plain, number).unwrap());
        let words: Vec<&str> = found.splitn(4, ' ').collect();
        assert_eq!(words[0], words[1]);
        assert!(["1ann", "2bob", "3c,"].contains(&words[2]), "{found}");
        let tokens = found.rsplit(' ').next().unwrap();
        assert!(["t0=0", "t1=1"].contains(&tokens), "{found}");
        seen.insert(words[0].to_owned());
    }
    assert_eq!(seen.len(), 9);
}

#[test]
fn kinds_draw_what_they_say() {
    assert_eq!(render("{s:sequence(5)}{sequence(0)}", Place::Plain, 2).unwrap(), "72");
    let id = render("{uuid}", Place::Plain, 3).unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"));
    let mut counts = [0_u32; 101];
    for number in 0..2_000 {
        let drawn: usize =
            render("{zipf(1,100,1)}", Place::Plain, number).unwrap().parse().unwrap();
        counts[drawn] += 1;
    }
    // By theory 2000 / 5.19 = 385, 193 and 3.9.
    assert!((325..445).contains(&counts[1]), "{}", counts[1]);
    assert!((145..240).contains(&counts[2]), "{}", counts[2]);
    assert!(counts[100] < 20 && counts[0] == 0);
    let all = render("{uniform(0,18446744073709551614)}", Place::Plain, 1).unwrap();
    assert!(all.parse::<u64>().is_ok());
}

#[test]
fn faults_have_a_place_and_a_way_out() {
    for (text, offset, message, way_out) in [
        ("/é/{sesion}", 3, "nothing is called `sesion` here", "session"),
        ("{a", 0, "this placeholder has no `}`", "{{"),
        ("{a:unifrom(1,2)}", 0, "`unifrom` is no kind of placeholder", "uniform"),
        ("{a:uniform(2,1)}", 0, "`uniform(2,1)` is not understood", "uniform(1,1000)"),
        ("{a:uniform(1,2}", 0, "the `(` is not closed", "uniform(1,1000)"),
        ("{uniform}", 0, "`uniform` lacks what it is drawn from", "uniform(1,1000)"),
        ("{pick:user.id}", 0, "`data` has no `user`", "users"),
        ("{pick:users}", 0, "`users` has several columns", "`id` or `name`"),
        ("{pick:users.nam}", 0, "`users` has no column `nam`", "name"),
        ("{token:staf}", 0, "`tokens` has no `staf`", "staff"),
        ("{token:staff.x}", 0, "a token has no `x`", "staff.index"),
        ("{a:uuid}{a:uniform(1,2)}", 8, "`a` stands for something else before", "name of its own"),
        ("{a-b:uuid}", 0, "`a-b` is no name of a variable", "letters"),
        ("{nix}", 0, "nothing is called `nix` here", "session"),
        ("{zipf(1,2,0)}", 0, "`zipf(1,2,0)` is not understood", "exponent"),
    ] {
        let fault = render(text, Place::Plain, 0).unwrap_err();
        assert_eq!((fault.offset, fault.message.as_str()), (offset, message), "{text}");
        let help = format!("{:?} {:?}", fault.suggestion, fault.remedy);
        assert!(help.contains(way_out), "{text}: {help}");
    }
}
