//! From figures to places, and where ticks belong.

/// How figures are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Equal differences are equally long.
    Linear,
    /// Equal ratios are equally long.
    Log,
}

/// One axis of a plot.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Spacing.
    pub spacing: Spacing,
    /// Figure at `start`.
    pub min: f64,
    /// Figure at `end`.
    pub max: f64,
    /// Place of `min`, pixels.
    pub start: f64,
    /// Place of `max`, pixels.
    pub end: f64,
}

impl Axis {
    /// The place of a figure, kept on the axis.
    pub fn place(&self, figure: f64) -> f64 {
        let share = match self.spacing {
            Spacing::Linear => (figure - self.min) / (self.max - self.min),
            Spacing::Log => (figure / self.min).ln() / (self.max / self.min).ln(),
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        self.start + share * (self.end - self.start)
    }
}

/// Round figures from 0 to at least `max`, about `count` of them: steps of 1, 2 or 5 times a power of ten.
pub fn linear_ticks(max: f64, count: usize) -> Vec<f64> {
    if !max.is_finite() || max <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = max / count.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let steps = (max / step - 1e-9).ceil().max(1.0) as u32;
    (0..=steps).map(|place| f64::from(place) * step).collect()
}

/// A tick of a logarithmic axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogTick {
    /// Where.
    pub figure: f64,
    /// Whether it is labelled.
    pub labelled: bool,
}

/// Ticks at 1 to 9 times every power of ten in the range. Powers of ten are labelled; with two of them or fewer, 2 and 5 times
/// them too.
pub fn log_ticks(min: f64, max: f64) -> Vec<LogTick> {
    let (first, last) = (min.log10().floor() as i32, max.log10().ceil() as i32);
    let within = |figure: f64| figure >= min * 0.999 && figure <= max * 1.001;
    let powers = (first..=last).filter(|power| within(10_f64.powi(*power))).count();
    let mut ticks = Vec::new();
    for power in first..=last {
        for factor in 1..10 {
            let figure = f64::from(factor) * 10_f64.powi(power);
            if within(figure) {
                ticks.push(LogTick {
                    figure,
                    labelled: factor == 1 || (powers <= 2 && matches!(factor, 2 | 5)),
                });
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_spacing_and_stay_on_the_axis() {
        let linear = Axis { spacing: Spacing::Linear, min: 0.0, max: 10.0, start: 100.0, end: 200.0 };
        assert_eq!(
            [0.0, 5.0, 10.0, 99.0, -1.0].map(|figure| linear.place(figure)),
            [100.0, 150.0, 200.0, 200.0, 100.0]
        );
        let log = Axis { spacing: Spacing::Log, min: 1.0, max: 100.0, start: 200.0, end: 100.0 };
        assert_eq!(
            [1.0, 10.0, 100.0, 0.0].map(|figure| log.place(figure).round()),
            [200.0, 150.0, 100.0, 200.0]
        );
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(linear_ticks(9.7, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear_ticks(10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear_ticks(0.3, 3), [0.0, 0.1, 0.2, 0.30000000000000004]);
        assert_eq!(linear_ticks(f64::NAN, 5), [0.0, 1.0]);
        let labelled = |min, max| -> Vec<f64> {
            log_ticks(min, max).iter().filter(|tick| tick.labelled).map(|tick| tick.figure).collect()
        };
        assert_eq!(labelled(1.0, 10_000.0), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!(labelled(80.0, 600.0), [100.0, 200.0, 500.0]);
        assert_eq!(log_ticks(1.0, 100.0).len(), 19);
    }
}
