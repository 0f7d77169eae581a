//! Percentiles of merged histograms, and whether there were enough samples to speak of them.

use hdrhistogram::Histogram;

/// Fewer samples than this beyond a percentile, and the next run will give another figure.
pub const ENOUGH_SAMPLES_BEYOND: u64 = 100;

/// The percentiles that tables show: quantile and name.
pub const SHOWN: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

/// One percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentile {
    /// The value, nanoseconds, to the histogram's precision.
    pub ns: u64,
    /// Samples that are rarer than the quantile: samples × (1 − quantile), rounded.
    pub samples_beyond: u64,
}

impl Percentile {
    /// The percentile of a histogram, or nothing where it is empty. O(buckets).
    pub fn of(histogram: &Histogram<u64>, quantile: f64) -> Option<Self> {
        let samples_beyond = (histogram.len() as f64 * (1.0 - quantile)).round() as u64;
        (!histogram.is_empty()).then(|| Self { ns: histogram.value_at_quantile(quantile), samples_beyond })
    }

    /// Whether enough samples lie beyond.
    pub fn is_supported(&self) -> bool {
        self.samples_beyond >= ENOUGH_SAMPLES_BEYOND
    }
}

/// A point of the curve of latency over rarity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Share of the samples at or below the latency, below 1.
    pub quantile: f64,
    /// Latency, nanoseconds.
    pub ns: u64,
    /// Whether enough samples lie beyond.
    pub supported: bool,
}

/// The curve at `per_decade` points for each factor of ten of 1/(1−quantile), from the median to the rarest sample.
/// O(points × buckets).
pub fn curve(histogram: &Histogram<u64>, per_decade: u32) -> Vec<CurvePoint> {
    let samples = histogram.len();
    let mut points = Vec::new();
    let mut add = |rarity: f64| {
        let quantile = 1.0 - 1.0 / rarity;
        if let Some(percentile) = Percentile::of(histogram, quantile) {
            points.push(CurvePoint { quantile, ns: percentile.ns, supported: percentile.is_supported() });
        }
    };
    let mut step = 0_u32;
    loop {
        let rarity = 10_f64.powf(f64::from(step) / f64::from(per_decade.max(1)));
        if rarity > samples as f64 {
            break;
        }
        add(rarity);
        step += 1;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(samples: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).unwrap();
        (1..=samples).for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    #[test]
    fn a_ramp_has_its_percentiles_and_their_support() {
        let histogram = ramp(1_000);
        let p99 = Percentile::of(&histogram, 0.99).unwrap();
        assert_eq!(p99, Percentile { ns: 990, samples_beyond: 10 });
        assert!(!p99.is_supported());
        assert!(Percentile::of(&histogram, 0.9).unwrap().is_supported());
        assert_eq!(Percentile::of(&histogram, 0.5).unwrap().ns, 500);
        assert_eq!(Percentile::of(&ramp(0), 0.5), None);
    }

    #[test]
    fn percentiles_are_of_the_merged_samples_and_not_averaged() {
        let mut merged = ramp(1_000);
        let mut slow = Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).unwrap();
        slow.record_n(500_000, 1_000).unwrap();
        merged.add(&slow).unwrap();
        // The mean of both medians would be about 250,250.
        assert_eq!(Percentile::of(&merged, 0.5).unwrap().ns, 1_000);
    }

    #[test]
    fn the_curve_ends_with_the_rarest_sample() {
        let points = curve(&ramp(1_000), 2);
        let quantiles: Vec<f64> = points.iter().map(|point| (point.quantile * 1e4).round() / 1e4).collect();
        assert_eq!(quantiles, [0.0, 0.6838, 0.9, 0.9684, 0.99, 0.9968, 0.999]);
        assert!(points[2].supported && !points[3].supported);
        assert_eq!((points[4].ns, points[6].ns), (990, 999));
        assert!(curve(&ramp(0), 2).is_empty());
    }
}
