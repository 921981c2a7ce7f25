//! Sizes and rates: as people write them and as they like to read them.

use std::fmt;
use std::time::Duration;

/// A number of bytes as iperf3 takes it: `64`, `128K`, `1.5G`; the letters are powers of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.strip_suffix(letters).unwrap_or(text);
    let unit: u128 = match letters.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err("expected a number of bytes, optionally with K, M, G or T".to_owned()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    if digits > 9 {
        return Err("too many digits after the point".to_owned());
    }
    let scale = 10_u128.pow(digits);
    let scaled = u128::from(parse_digits(whole)?) * scale + u128::from(parse_digits(fraction)?);
    u64::try_from(scaled * unit / scale).map_err(|_| "too large".to_owned())
}

/// Seconds, with a fraction or without: `10`, `0.5`.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| (Duration::from_millis(1)..=LONGEST).contains(duration))
        .ok_or_else(|| "expected between 0.001 and 86400 seconds".to_owned())
}

/// Longer waits are more likely a mistake than meant: a day.
pub(crate) const LONGEST: Duration = Duration::from_secs(86_400);

fn parse_digits(digits: &str) -> Result<u64, String> {
    digits
        .parse()
        .map_err(|_| "expected a number of bytes, optionally with K, M, G or T".to_owned())
}

/// A count as the floating-point number that rates are computed with.
#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "beyond 2^53 a rate loses digits that nobody prints"
)]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// Goodput in 10^9 bits per second; 0 for no time at all.
pub(crate) fn gbit_per_s(bytes: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 {
        real(bytes) * 8.0 / seconds / 1e9
    } else {
        0.0
    }
}

/// Milliseconds, down to the microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    real(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)) / 1e3
}

/// Shows a number of bytes with a unit that keeps it short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        let mut value = real(self.0);
        let mut unit = "bytes";
        for larger in UNITS {
            if value < 1024.0 {
                break;
            }
            value /= 1024.0;
            unit = larger;
        }
        if self.0 == 1 {
            f.write_str("1 byte")
        } else if unit == "bytes" {
            write!(f, "{} {unit}", self.0)
        } else {
            write!(f, "{value:.2} {unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_the_letters_of_iperf3() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("128K"), Ok(128 << 10));
        assert_eq!(parse_size("3m"), Ok(3 << 20));
        assert_eq!(parse_size("1.5G"), Ok(3 << 29));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        assert_eq!(parse_size("16777215T"), Ok(16_777_215 << 40));
    }

    #[test]
    fn sizes_that_are_none_are_refused() {
        for text in [
            "",
            "K",
            "-1",
            "1.",
            ".5",
            "1.2.3",
            "10X",
            "16777216T",
            "1.0000000001G",
            "\u{661}",
        ] {
            assert!(parse_size(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn seconds_are_bounded_both_ways() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "86401", "soon"] {
            assert!(parse_seconds(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn sizes_are_shown_with_their_unit() {
        assert_eq!(Size(1).to_string(), "1 byte");
        assert_eq!(Size(1023).to_string(), "1023 bytes");
        assert_eq!(Size(1 << 10).to_string(), "1.00 KiB");
        assert_eq!(Size(3 << 29).to_string(), "1.50 GiB");
    }

    #[test]
    fn a_rate_counts_bits_and_survives_no_time() {
        let rate = gbit_per_s(125_000_000, Duration::from_secs(1));
        assert!((rate - 1.0).abs() < 1e-9, "{rate}");
        assert!(gbit_per_s(1, Duration::ZERO).abs() < f64::EPSILON);
    }
}
