//! Pearson's χ² test, for the tests of the samplers.

/// The value that χ² with `degrees` degrees of freedom exceeds with probability 10⁻⁴ (Wilson and Hilferty 1931; within
/// 3 % from 2 degrees on, and 7 % above the true 15.14 for one).
pub fn critical(degrees: usize) -> f64 {
    const Z: f64 = 3.719;
    let k = degrees as f64;
    let part = 2.0 / (9.0 * k);
    k * (1.0 - part + Z * part.sqrt()).powi(3)
}

/// χ² of counts against weights, and its degrees of freedom. Neighbours are pooled until ten are expected.
pub fn statistic(counts: &[u64], weights: &[f64]) -> (f64, usize) {
    assert_eq!(counts.len(), weights.len());
    let draws: u64 = counts.iter().sum();
    let total: f64 = weights.iter().sum();
    let mut pools: Vec<(f64, f64)> = vec![(0.0, 0.0)];
    for (&count, &weight) in counts.iter().zip(weights) {
        assert!(weight > 0.0 || count == 0, "drawn although it has no weight");
        if pools.last().unwrap().1 >= 10.0 {
            pools.push((0.0, 0.0));
        }
        let pool = pools.last_mut().unwrap();
        pool.0 += count as f64;
        pool.1 += draws as f64 * weight / total;
    }
    if pools.len() > 1 && pools.last().unwrap().1 < 10.0 {
        let (count, expected) = pools.pop().unwrap();
        let pool = pools.last_mut().unwrap();
        pool.0 += count;
        pool.1 += expected;
    }
    (pools.iter().map(|(count, expected)| (count - expected).powi(2) / expected).sum(), pools.len() - 1)
}

/// Fails if the counts do not fit the weights at p = 10⁻⁴.
#[track_caller]
pub fn assert_fits(name: &str, counts: &[u64], weights: &[f64]) {
    let (found, degrees) = statistic(counts, weights);
    if degrees > 0 {
        assert!(found < critical(degrees), "{name}: χ² {found:.1} with {degrees} degrees of freedom");
    }
}

#[test]
fn critical_values_are_those_of_the_tables() {
    // Tables of χ² at p = 10⁻⁴.
    for (degrees, table) in
        [(1, 15.137), (2, 18.421), (5, 25.745), (10, 35.564), (30, 66.152), (100, 161.319)]
    {
        let relative = critical(degrees) / table;
        assert!((0.98..1.08).contains(&relative), "{degrees}: {relative}");
    }
}

#[test]
fn the_test_can_fail() {
    let (found, degrees) = statistic(&[400, 600], &[1.0, 1.0]);
    assert!(found > critical(degrees));
}
