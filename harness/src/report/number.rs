//! Figures as people read them: three significant digits and a unit.

/// A unit of throughput that suits a range: its name and how many operations a second it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateUnit {
    /// As shown.
    pub name: &'static str,
    /// Operations a second.
    pub factor: f64,
}

/// The unit for figures up to `max` operations a second.
pub const fn rate_unit(max: f64) -> RateUnit {
    if max >= 1e6 {
        RateUnit { name: "M ops/s", factor: 1e6 }
    } else if max >= 1e3 {
        RateUnit { name: "K ops/s", factor: 1e3 }
    } else {
        RateUnit { name: "ops/s", factor: 1.0 }
    }
}

/// The same for records.
pub const fn records_unit(max: f64) -> RateUnit {
    let unit = rate_unit(max);
    let name = if unit.factor >= 1e6 {
        "M records/s"
    } else if unit.factor >= 1e3 {
        "K records/s"
    } else {
        "records/s"
    };
    RateUnit { name, ..unit }
}

impl RateUnit {
    /// A rate in this unit, without its name.
    pub fn format(self, rate: f64) -> String {
        significant(rate / self.factor)
    }
}

/// A rate with its unit.
pub fn rate(rate: f64) -> String {
    let unit = rate_unit(rate);
    format!("{} {}", unit.format(rate), unit.name)
}

/// A duration with its unit, given nanoseconds.
pub fn duration_ns(ns: f64) -> String {
    let (unit, factor) = match ns {
        ns if ns < 999.5 => ("ns", 1.0),
        ns if ns < 999.5e3 => ("µs", 1e3),
        ns if ns < 999.5e6 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    let value = ns / factor;
    // Whole nanoseconds are measured, not parts of them; of costs an operation, tenths are.
    let text = if factor == 1.0 && value >= 10.0 { format!("{value:.0}") } else { significant(value) };
    format!("{text} {unit}")
}

/// Three significant digits, and never fewer digits than the whole number has.
pub fn significant(value: f64) -> String {
    match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 99.95 || percent == 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// A figure somebody chose, with no more digits than were chosen.
pub fn chosen(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bytes in binary units.
pub fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes, "B");
    for larger in units.into_iter().skip(1) {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{value:.0} B") } else { format!("{} {unit}", significant(value)) }
}

/// A whole number with thin groups of three digits.
pub fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 thread`, `2 threads`.
pub fn threads(count: u32) -> String {
    format!("{count} {}", if count == 1 { "thread" } else { "threads" })
}

/// Names as a sentence lists them.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A moment as `2026-01-31 12:34 UTC`, given seconds since 1970. The civil calendar from days is Howard Hinnant's
/// `civil_from_days` ("chrono-Compatible Low-Level Date Algorithms").
pub fn moment(unix_seconds: u64) -> String {
    let (days, seconds) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let shifted_month = (5 * year_day + 2) / 153;
    let day = year_day - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = shifted / 146_097 * 400 + era_year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(
            [rate(12_345_678.0), rate(999_900.0), rate(12.0)],
            ["12.3 M ops/s", "1000 K ops/s", "12.0 ops/s"]
        );
        let durations = [4.26, 95.0, 999.4, 999.5, 1_234.0, 12_340_000.0, 2.5e9].map(duration_ns);
        assert_eq!(durations, ["4.26 ns", "95 ns", "999 ns", "1.00 µs", "1.23 µs", "12.3 ms", "2.50 s"]);
        assert_eq!([percent(0.4996), percent(1.0), percent(0.0)], ["50.0 %", "100 %", "0 %"]);
        assert_eq!([2.0, 0.5, 0.125, 100.0, 0.0].map(chosen), ["2", "0.5", "0.125", "100", "0"]);
        assert_eq!([bytes(512.0), bytes(25_769_803_776.0)], ["512 B", "24.0 GiB"]);
        assert_eq!(
            [whole(0), whole(999), whole(1_000), whole(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([list(&["a"]), list(&["a", "b", "c"])], ["a", "a, b and c"]);
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(moment(1_750_000_000), "2025-06-15 15:06 UTC");
        assert_eq!(moment(4_102_444_799), "2099-12-31 23:59 UTC");
    }
}
