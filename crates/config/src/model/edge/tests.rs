use super::*;

#[track_caller]
fn check(address: &str, prefix: u8, member: &str, expect: bool) {
    let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
    let network = Network { address: parse(address), prefix };
    assert_eq!(network.contains(parse(member)), expect, "{member} in {address}/{prefix}");
}

#[test]
fn a_network_has_the_addresses_that_begin_alike() {
    check("10.0.0.0", 8, "10.255.0.1", true);
    check("10.0.0.0", 8, "11.0.0.1", false);
    check("10.0.0.1", 32, "10.0.0.1", true);
    check("10.0.0.1", 32, "10.0.0.0", false);
    check("0.0.0.0", 0, "255.0.0.1", true);
    check("0.0.0.0", 0, "::1", false);
    check("::", 0, "2001:db8::1", true);
    check("::", 0, "127.0.0.1", false);
    check("2001:db8::", 32, "2001:db8:ffff::1", true);
    check("2001:db8::", 32, "2001:db9::1", false);
}
