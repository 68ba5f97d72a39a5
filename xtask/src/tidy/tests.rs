/// The rules hold for the tree as it is, so that `cargo test` alone shows a breach.
#[test]
fn the_tree_is_tidy() {
    let problems = super::problems().unwrap();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
