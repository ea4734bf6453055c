//! What chance explains: the few pieces of statistics that the rules stand on. Sources are named at each.

/// One-sided 95 %: the bound that the truth passes once in twenty times.
pub const Z95: f64 = 1.644_853_626_951_472_2;

/// The chance of seeing `k` or more bad ones of `n`, were each bad with the chance `b` (the binomial upper tail).
///
/// One where `k` is no more than expected. Relative error below 1e-9 up to a million events, from `lgamma`.
pub fn tail(k: u64, n: u64, b: f64) -> f64 {
    if k > n {
        return 0.0;
    }
    let (bad, all) = (k as f64, n as f64);
    if bad <= all * b {
        return 1.0;
    }
    let ways = libm::lgamma(all + 1.0) - libm::lgamma(bad + 1.0) - libm::lgamma(all - bad + 1.0);
    let mut term = (ways + bad * b.ln() + (all - bad) * (-b).ln_1p()).exp();
    let odds = b / (1.0 - b);
    let mut sum = term;
    // The terms fall from here on, since k is above the mean.
    let mut i = bad;
    while i < all && term > sum * 1e-17 {
        term *= (all - i) / (i + 1.0) * odds;
        sum += term;
        i += 1.0;
    }
    sum.min(1.0)
}

/// The chance of `x` or fewer events where `expected` are usual (the Poisson lower tail). For small `x`.
pub fn at_most(x: u32, expected: f64) -> f64 {
    let mut term = (-expected).exp();
    let mut sum = term;
    for i in 1..=x {
        term *= expected / f64::from(i);
        sum += term;
    }
    sum.min(1.0)
}

/// Wilson's score interval for a share of `k` in `n`: where the true share lies, each side wrong with the chance that
/// belongs to `z`. `None` without any event.
pub fn wilson(k: u64, n: u64, z: f64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let (p, n) = (k as f64 / n as f64, n as f64);
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    Some((((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)))
}

/// How many events in a row must be bad so that chance does it at most once in fifty months of `monthly` events: the
/// smallest K ≥ 3 with `monthly`·b^K ≤ 0.02.
pub fn run_length(monthly: f64, b: f64) -> u64 {
    let mut length = 3;
    let mut runs = monthly * b.powi(3);
    // What is equal but for rounding is equal; budgets of nearly everything never get there.
    while runs > 0.02 * (1.0 + 1e-9) && length < 1000 {
        runs *= b;
        length += 1;
    }
    length
}

/// The middle value; `None` without any. Sorts what it is given.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A natural number of any size: just enough arithmetic to have the tail exactly.
    #[derive(Clone)]
    struct Natural(Vec<u32>);

    impl Natural {
        fn one() -> Natural {
            Natural(vec![1])
        }

        fn times(mut self, factor: u64) -> Natural {
            let mut carry = 0;
            for limb in &mut self.0 {
                let product = u128::from(*limb) * u128::from(factor) + carry;
                *limb = product as u32;
                carry = product >> 32;
            }
            while carry > 0 {
                self.0.push(carry as u32);
                carry >>= 32;
            }
            self
        }

        fn over(mut self, divisor: u64) -> Natural {
            let mut rest = 0_u128;
            for limb in self.0.iter_mut().rev() {
                let value = rest << 32 | u128::from(*limb);
                *limb = (value / u128::from(divisor)) as u32;
                rest = value % u128::from(divisor);
            }
            assert_eq!(rest, 0, "divides exactly");
            self
        }

        fn add(&mut self, other: &Natural) {
            let mut carry = 0_u64;
            self.0.resize(self.0.len().max(other.0.len()) + 1, 0);
            for (at, limb) in self.0.iter_mut().enumerate() {
                let sum = u64::from(*limb) + u64::from(other.0.get(at).copied().unwrap_or(0)) + carry;
                *limb = sum as u32;
                carry = sum >> 32;
            }
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
        }

        /// The natural logarithm, from the three leading limbs.
        fn ln(&self) -> f64 {
            let top =
                self.0.iter().rev().take(3).fold(0.0, |sum, limb| sum * 4_294_967_296.0 + f64::from(*limb));
            top.ln() + 32.0 * std::f64::consts::LN_2 * (self.0.len().saturating_sub(3)) as f64
        }
    }

    /// Every k of every n up to 200, summed from n downwards with whole numbers over q^n.
    fn check_tail(p: u64, q: u64) {
        let b = p as f64 / q as f64;
        for n in 1..=200_u64 {
            let mut term = (0..n).fold(Natural::one(), |power, _| power.times(p));
            let mut sum = term.clone();
            let all = (0..n).fold(Natural::one(), |power, _| power.times(q)).ln();
            for k in (1..=n).rev() {
                let exact = sum.ln() - all;
                let ours = tail(k, n, b).ln();
                if exact < -690.0 {
                    // Less than the least number with all its digits.
                    assert!(ours < -690.0, "{k} of {n} at {b}: {ours} and exactly {exact}");
                } else if k as f64 > n as f64 * b {
                    assert!((ours - exact).abs() < 1e-9, "{k} of {n} at {b}: {ours} and exactly {exact}");
                } else {
                    assert_eq!(ours, 0.0, "{k} of {n} at {b}");
                }
                term = term.times(k * (q - p)).over((n - k + 1) * p);
                sum.add(&term);
            }
        }
    }

    #[test]
    fn the_tail_is_what_whole_numbers_give() {
        check_tail(1, 50);
        check_tail(1, 20);
        check_tail(3, 20);
        check_tail(1, 1000);
    }

    #[test]
    fn a_million_events_are_judged_in_no_time() {
        let terms = tail(20_500, 1_000_000, 0.02);
        assert!((1e-4..1e-3).contains(&terms), "{terms}");
        assert_eq!(tail(1_000_000, 1_000_000, 0.001), 0.0);
        assert_eq!((tail(5, 3, 0.1), tail(0, 0, 0.1)), (0.0, 1.0));
    }

    #[test]
    fn the_fewest_bad_ones_that_chance_does_not_explain() {
        let sizes = [3, 5, 10, 20, 50, 100, 1000];
        let check = |b: f64, expected: [(u64, u64); 7]| {
            for (n, (page, ticket)) in sizes.into_iter().zip(expected) {
                let smallest = |alpha| (0..=n).find(|k| tail(*k, n, b) <= alpha).unwrap_or(0);
                assert_eq!((smallest(1e-4), smallest(1e-3)), (page, ticket), "of {n} at {b}");
            }
        };
        check(0.02, [(3, 3), (3, 3), (4, 3), (5, 4), (7, 6), (10, 8), (39, 36)]);
        check(0.05, [(0, 3), (4, 4), (5, 5), (7, 6), (11, 9), (16, 14), (78, 74)]);
        check(0.15, [(0, 0), (5, 5), (8, 7), (11, 10), (19, 17), (31, 28), (194, 187)]);
        check(0.001, [(2, 2), (2, 2), (2, 2), (3, 2), (3, 3), (4, 3), (7, 6)]);
    }

    #[test]
    fn runs_get_longer_with_more_traffic() {
        let check = |b: f64, monthly: f64, expected: u64| {
            assert_eq!(run_length(monthly, b), expected, "{monthly} a month at {b}");
        };
        for (b, monthly, expected) in [
            (0.02, 0.0, 3),
            (0.02, 2500.0, 3),
            (0.02, 2501.0, 4),
            (0.02, 125_000.0, 4),
            (0.05, 3200.0, 4),
            (0.05, 64_000.0, 5),
            (0.15, 1500.0, 6),
            (0.15, 6000.0, 7),
            (0.15, 30_000.0, 8),
            (0.001, 1e6, 3),
        ] {
            check(b, monthly, expected);
        }
        assert!(run_length(1e12, 0.999_999) <= 1000);
    }

    #[test]
    fn wilsons_bounds_are_those_of_the_tables() {
        let check = |k, n, expected: f64| {
            let (lower, upper) = wilson(k, n, Z95).expect("events");
            assert!((lower - expected).abs() < 6e-4, "{k} of {n}: {lower}");
            // The share of good ones has the mirrored bounds.
            let mirrored = wilson(n - k, n, Z95).expect("events");
            assert!((1.0 - mirrored.1 - lower).abs() < 1e-12 && (1.0 - mirrored.0 - upper).abs() < 1e-12);
        };
        for (k, n, lower) in [(1, 2, 0.121), (2, 2, 0.425), (3, 3, 0.526), (2, 10, 0.069), (3, 10, 0.127)] {
            check(k, n, lower);
        }
        for (k, n, lower) in [(4, 10, 0.194), (3, 100, 0.012), (7, 100, 0.038), (10, 100, 0.061)] {
            check(k, n, lower);
        }
        check(40, 1000, 0.031);
        check(1, 1, 0.27);
        assert_eq!(wilson(0, 0, Z95), None);
    }

    #[test]
    fn silence_is_judged_by_what_is_usual() {
        assert!((at_most(0, 6.9) - 1e-3).abs() < 1e-5 && (at_most(0, 9.2) - 1e-4).abs() < 2e-6);
        assert!((at_most(2, 3.0) - 0.423_190_1).abs() < 1e-7);
        assert_eq!(at_most(3, 0.0), 1.0);
    }

    #[test]
    fn the_middle_of_none_is_none() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
