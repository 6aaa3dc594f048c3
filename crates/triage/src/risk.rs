//! How much one event should worry: a number from 0 to 100 made of priority, probability and reach.
//! It only orders what people look at first; no decision of the program depends on it.

use weir_model::Priority;

/// Risk of an event: a base by priority (5, 25, 50, 72, 92), of which the last four tenths grow with the probability,
/// plus two points per doubling of the targets, at most 100. The terms are few so that people can follow them.
pub fn risk(priority: Priority, probability: u8, target_count: u64) -> u8 {
    let base = match priority {
        Priority::Informational => 5.0,
        Priority::Low => 25.0,
        Priority::Medium => 50.0,
        Priority::High => 72.0,
        Priority::Critical => 92.0,
    };
    let certain = 0.6 + 0.4 * f64::from(probability) / 100.0;
    let reach = 2.0 * (target_count.max(1) as f64).log2();
    (base * certain + reach).min(100.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_each_term() {
        assert_eq!(risk(Priority::High, 100, 1), 72);
        assert_eq!(risk(Priority::High, 50, 1), 58);
        assert_eq!(risk(Priority::High, 100, 16), 80);
        assert_eq!(risk(Priority::Critical, 100, u64::MAX), 100);
        assert_eq!(risk(Priority::Informational, 0, 0), 3);
    }
}
