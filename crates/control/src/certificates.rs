//! What there is to tell of certificates: files that cannot be used, and ends that come near.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::event::{Event, Listen};
use crate::plane::{CertificateProblem, CertificateStatus, Plane};

const DAY_S: u64 = 24 * 3600;
/// Days before the end of a certificate at which it is told.
const WARNING_DAYS: [u64; 3] = [1, 7, 30];
/// How often ends are looked at when nothing else happens.
pub(crate) const EXPIRY_INTERVAL: Duration = Duration::from_secs(3600);

/// Tells each thing once.
pub(crate) struct CertificateWatch {
    plane: Arc<dyn Plane>,
    events: Arc<Listen>,
    problems: Vec<CertificateProblem>,
    /// By name: end, and the days that were told last.
    told: HashMap<String, (u64, u64)>,
}

impl CertificateWatch {
    pub(crate) fn new(plane: Arc<dyn Plane>, events: Arc<Listen>) -> Self {
        Self { plane, events, problems: Vec::new(), told: HashMap::new() }
    }

    /// Looks at what is in force now, and tells what is new. True: an OCSP response is to be stapled
    /// no more, and the configuration is to be applied again.
    pub(crate) fn look(&mut self) -> bool {
        self.look_at(unix_now())
    }

    fn look_at(&mut self, now: u64) -> bool {
        let status = self.plane.certificates();
        for problem in status.problems.iter().filter(|problem| !self.problems.contains(problem)) {
            (self.events)(Event::CertificateProblem(problem.clone()));
        }
        self.warn(&status, now);
        self.problems = status.problems;
        status.staple_ends.is_some_and(|end| end <= now)
    }

    fn warn(&mut self, status: &CertificateStatus, now: u64) {
        let mut told = HashMap::new();
        for (name, end) in &status.soonest {
            let left = end.saturating_sub(now) / DAY_S;
            let Some(days) = WARNING_DAYS.into_iter().find(|days| left < *days) else { continue };
            // A certificate that has ended is told once more.
            let days = if *end < now { 0 } else { days };
            if self.told.get(name) != Some(&(*end, days)) {
                let name = name.clone();
                (self.events)(Event::CertificateEnds { name, days: left, ended: *end < now });
            }
            told.insert(name.clone(), (*end, days));
        }
        self.told = told;
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::plane::fake::FakePlane;

    #[test]
    fn each_threshold_and_each_problem_is_told_once() {
        let (plane, _told) = FakePlane::new();
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let heard = Arc::clone(&events);
        let listen = Arc::new(move |event| heard.lock().unwrap().push(event));
        let mut watch = CertificateWatch::new(Arc::<FakePlane>::clone(&plane), listen);
        let end = 1_000 * DAY_S;
        let problem = CertificateProblem {
            file: "a.pem".into(),
            reason: "it is damaged".to_owned(),
            kept: true,
        };
        *plane.certificates.lock().unwrap() = CertificateStatus {
            soonest: vec![("a.test".to_owned(), end)],
            problems: vec![problem],
            staple_ends: Some(end - 8 * DAY_S),
        };
        let mut told = |days: u64| {
            let due = watch.look_at(end - days * DAY_S);
            let told: Vec<_> =
                events.lock().unwrap().drain(..).map(|event| event.to_string()).collect();
            (due, told.join("|"))
        };
        let (due, first) = told(40);
        assert!(!due);
        assert!(first.contains("a.pem") && first.contains("it is damaged"), "{first}");
        assert_eq!(told(31).1, "");
        assert!(told(29).1.contains("ends in 29 days"));
        assert_eq!(told(20).1, "");
        let (due, week) = told(6);
        assert!(due, "the response is out of date");
        assert!(week.contains("ends in 6 days"), "{week}");
        assert!(told(0).1.contains("ends today"));
        assert_eq!(told(0).1, "");
    }
}
