use super::*;
use crate::Random;

fn points(law: (f64, f64, f64), concurrencies: &[f64], noise: f64) -> Vec<Point> {
    let law = Scalability::new(law.0, law.1, law.2);
    let mut random = Random::new(7);
    concurrencies
        .iter()
        .map(|&concurrency| Point {
            concurrency,
            throughput_rps: law.throughput(concurrency)
                * (1.0 + noise * (2.0 * random.unit() - 1.0)),
        })
        .collect()
}

const DOUBLING: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

#[track_caller]
fn near(found: f64, expected: f64, share: f64, what: &str) {
    assert!((found - expected).abs() <= share * expected.abs() + 1e-9, "{what}: {found}");
}

#[test]
fn known_coefficients_are_found_again() {
    for (lambda, sigma, kappa) in [
        (1_000.0, 0.02, 0.000_5),
        (995.0, 0.026_7, 0.000_769),
        (40.0, 0.3, 0.01),
        (1e6, 0.001, 1e-6),
        (500.0, 0.0, 0.001),
    ] {
        let fit = Scalability::fit(&points((lambda, sigma, kappa), &DOUBLING, 0.0)).unwrap();
        near(fit.lambda, lambda, 1e-6, "lambda");
        near(fit.sigma, sigma, 1e-4, "sigma");
        near(fit.kappa, kappa, 1e-4, "kappa");
        near(fit.r_squared, 1.0, 1e-6, "r squared");
        let peak = fit.peak.unwrap();
        near(peak.concurrency, ((1.0 - sigma) / kappa).sqrt(), 1e-4, "peak");
        near(peak.throughput_rps, fit.throughput(peak.concurrency), 1e-9, "throughput");
    }
}

#[test]
fn noise_moves_them_a_little() {
    let fit = Scalability::fit(&points((1_000.0, 0.05, 0.001), &DOUBLING, 0.03)).unwrap();
    near(fit.lambda, 1_000.0, 0.1, "lambda");
    near(fit.sigma, 0.05, 0.3, "sigma");
    near(fit.kappa, 0.001, 0.3, "kappa");
    assert!(fit.r_squared > 0.97, "{fit:?}");
}

#[test]
fn concurrencies_below_one_are_points_as_well() {
    let law = (2_000.0, 0.1, 0.002);
    let fit = Scalability::fit(&points(law, &[0.05, 0.2, 0.8, 3.0, 12.0, 40.0], 0.0)).unwrap();
    near(fit.lambda, 2_000.0, 1e-4, "lambda");
    near(fit.sigma, 0.1, 1e-3, "sigma");
}

#[test]
fn without_crosstalk_there_is_no_peak() {
    for (law, sigma) in [((1_000.0, 0.1, 0.0), 0.1), ((1_000.0, 0.0, 0.0), 0.0)] {
        let fit = Scalability::fit(&points(law, &DOUBLING, 0.0)).unwrap();
        near(fit.sigma, sigma, 1e-4, "sigma");
        // What is left of rounding may be a peak far beyond all points.
        assert!(fit.peak.is_none_or(|peak| peak.concurrency > 10_000.0), "{fit:?}");
    }
    // Throughput that grows faster than concurrency is no contention below 0.
    let mut faster = points((1_000.0, 0.0, 0.0), &DOUBLING, 0.0);
    faster.iter_mut().for_each(|point| point.throughput_rps *= 1.0 + point.concurrency / 1_000.0);
    let fit = Scalability::fit(&faster).unwrap();
    assert!(fit.sigma.abs() < 1e-12 && fit.kappa.abs() < 1e-12 && fit.peak.is_none(), "{fit:?}");
}

#[test]
fn what_would_say_nothing_is_refused() {
    let at = |pairs: &[(f64, f64)]| -> Vec<Point> {
        pairs
            .iter()
            .map(|&(concurrency, throughput_rps)| Point { concurrency, throughput_rps })
            .collect()
    };
    for (pairs, reason) in [
        (vec![], "0 points"),
        (vec![(1.0, 10.0), (2.0, 19.0), (4.0, 35.0)], "3 points"),
        // The same concurrency again and again is one point; no throughput is none.
        (vec![(1.0, 10.0), (1.001, 10.1), (1.002, 9.9), (2.0, 19.0), (0.0, 0.0)], "2 points"),
        (vec![(5.0, f64::NAN), (f64::INFINITY, 1.0), (-1.0, 3.0)], "0 points"),
        (vec![(10.0, 50.0), (10.5, 51.0), (11.0, 52.0), (11.5, 53.0)], "factor"),
        (vec![(1.0, 900.0), (2.0, 100.0), (4.0, 950.0), (8.0, 50.0), (16.0, 900.0)], "variance"),
    ] {
        let error = Scalability::fit(&at(&pairs)).unwrap_err().to_string();
        assert!(error.contains(reason), "{pairs:?}: {error}");
    }
}
