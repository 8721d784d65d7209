//! Medians, ranges and ratios.

/// The median of some figures, with their range.
pub(crate) struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        Self { median: at(figures.len() / 2), min: at(0), max: at(figures.len().saturating_sub(1)) }
    }
}

/// One server's figures over all rounds.
#[derive(Default)]
pub(crate) struct Row {
    pub name: &'static str,
    pub rates: Vec<f64>,
    pub ratios: Vec<f64>,
    pub p50_ms: Vec<f64>,
    pub p99_ms: Vec<f64>,
    pub cpu_us: Vec<f64>,
    pub memory_mb: f64,
    pub failed: u64,
}

/// Prints a Markdown table.
pub(crate) fn print(title: &str, rows: &[Row]) {
    println!("\n### {title}\n");
    println!(
        "| server | req/s | of the bare handler (range) | p50 ms | p99 ms | server CPU µs/req | peak memory MB | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        let median = |figures: &Vec<f64>| Spread::of(figures.clone()).median;
        let ratio = Spread::of(row.ratios.clone());
        println!(
            "| {} | {:.0} | {:.2} ({:.2}–{:.2}) | {:.2} | {:.2} | {:.0} | {:.1} | {} |",
            row.name,
            median(&row.rates),
            ratio.median,
            ratio.min,
            ratio.max,
            median(&row.p50_ms),
            median(&row.p99_ms),
            median(&row.cpu_us),
            row.memory_mb,
            row.failed,
        );
    }
}
