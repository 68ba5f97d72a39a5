use super::{IllegalTransition, State};

#[test]
fn names_are_those_of_json() {
    for state in State::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.name());
    }
}

#[test]
fn nothing_follows_an_end() {
    for from in State::ALL.into_iter().filter(|state| state.is_terminal()) {
        for to in State::ALL {
            assert_eq!(from.advance(to), Err(IllegalTransition { from, to }));
        }
    }
}

#[test]
fn every_state_can_reach_an_end_and_is_reached() {
    for from in State::ALL {
        let mut seen = vec![from];
        let mut next = 0;
        while next < seen.len() {
            for to in State::ALL {
                if seen[next].advance(to).is_ok() && !seen.contains(&to) {
                    seen.push(to);
                }
            }
            next += 1;
        }
        assert!(seen.iter().any(|state| state.is_terminal()), "{from} never ends");
        if from == State::Intended {
            assert_eq!(seen.len(), State::ALL.len(), "{seen:?}");
        }
    }
}

/// The heart of it: once something may be in force, only a look that found nothing ends it.
#[test]
fn what_may_be_in_force_ends_only_after_a_look() {
    let in_force = [
        State::Injecting,
        State::Verifying,
        State::Active,
        State::Unknown,
        State::Reverting,
        State::RevertFailed,
    ];
    for from in in_force {
        for to in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            assert!(from.advance(to).is_err(), "{from} became {to}");
        }
    }
    assert!(State::VerifyingRevert.advance(State::Refused).is_err());
}
