use super::cases;

#[test]
fn cases_are_read_from_the_help() {
    let help = "  -test_case string\n    \tConfigure different test cases. Valid options are:\n\
                    \t        empty_unary : empty request;\n\
                    \t        timeout_on_sleeping_server: a: b (default \"empty_unary\")\n\
                  -use_alts\n    \tConnection uses ALTS if true: no case\n";
    assert_eq!(cases(help).collect::<Vec<_>>(), ["empty_unary", "timeout_on_sleeping_server"]);
}
